//! Thundering herd, in Japanese.

use super::{CLIENTS, HUNDREDS, ONE, ONE_A_CONNECTION, ONE_A_SERVER, ONE_QUERY, QUERY_TIME, UNDER_100};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "殺到（サンダリングハード）",
    story: "**popular:item** のコピーが、どの L1 からも Redis からも消えました。その瞬間、**{clients} のクライアント**が 4 台の\
        サーバーへ一斉にリクエストを送ります。クエリは 1 回 {query-ms} ms、DB への接続は各サーバー 5 本です。",
    promise: "全員分でもクエリは 1 回で足ります。ゴールは **DB クエリ 1 回**です。",
    question: "DB に届くクエリは何回でしょうか。",
    hint: "どのリクエストも L1、Redis、DB の順に探します。最初のクエリが終わるまで、残りのリクエストは何を知っていますか。",
    why: "最初のクエリが終わるまで、キャッシュは空のままです。その間に来たリクエストもすべてミスし、それぞれ DB に\
        問い合わせます。「いま誰かが読んでいる」ことは、ほかのリクエストにも、ほかのサーバーにも伝わりません。",
    answers: &[
        (ONE, "1 回。", "最初のリクエストが全員のためにキャッシュを埋める。"),
        (ONE_A_SERVER, "20 回まで。", "サーバーごと、または接続ごとに 1 回。同時に実行できるのはそれだけ。"),
        (ONE_A_CONNECTION, "200 回まで。", "最初の結果がキャッシュされるまでに来た分だけ。"),
        (HUNDREDS, "数百回。", "ほぼ全員がミスする。"),
    ],
    presets: &[
        ("unprotected", "レッスンのコード", "ミスしたリクエストがそれぞれ DB を読む。"),
        (
            "single-flight",
            "シングルフライト",
            "同じサーバーのリクエストは 1 回の読み取りを共有する。サーバーごとに 1 回。",
        ),
        ("lease", "サーバー間リース", "1 台だけが DB を読み、L2 に入れたらほかのサーバーを起こす。"),
        ("short-lease", "短いリース", "リースが 20 ms で失効する。クエリより短い。"),
    ],
    knobs: &[(CLIENTS.name, "クライアント数"), (QUERY_TIME.name, "クエリの時間")],
    checks: &[
        (ONE_QUERY, "DB クエリは 1 回"),
        (id::EQUAL_ANSWERS, "答えが一致"),
        (id::ALL_ANSWERED, "全リクエストに応答"),
        (UNDER_100, "クエリは 100 回未満"),
    ],
    phases: &[
        (phase::START, "起動", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::WARM, "ウォームアップ", "キャッシュを温めます。どのコピーも最新です。"),
        (phase::FORGET, "コピーの破棄", "ここで、すべてのコピーを破棄します。"),
        (phase::ACT, "検証開始", "準備ができました。**ここから検証です**。"),
    ],
};
