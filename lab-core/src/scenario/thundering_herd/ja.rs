//! Thundering herd, in Japanese.

use super::{CLIENTS, HUNDREDS, ONE, ONE_A_CONNECTION, ONE_A_SERVER, ONE_QUERY, QUERY_TIME, UNDER_100};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "殺到（サンダリングハード）",
    story: "**popular:item** の写しがすべて消えました。どの L1 にも、Redis にもありません。その瞬間、**{clients} のクライアント**が \
        4 台のサーバーに同時に要求します。クエリは {query-ms} ms かかり、各サーバーのデータベース接続は 5 本です。",
    promise: "全員にとって 1 回のクエリで十分です。ゴールは**データベースクエリ 1 回**です。",
    question: "データベースに届くクエリは何回でしょうか。",
    hint: "各要求は L1、Redis、データベースの順に探します。その間、残りの要求は何を知っているでしょうか。",
    why: "ミスはクエリが終わるまで続きます。その間に来た要求もミスし、また尋ねます。シングルフライトは 1 台の中だけを防ぎます。\
        全体で 1 回にできるのは、全サーバーにまたがるリースだけです。",
    answers: &[
        (ONE, "1 回。", "最初の 1 件が全員のために埋める。"),
        (ONE_A_SERVER, "20 回まで。", "サーバーごと、または接続ごとに 1 回。同時に入るのはそれだけ。"),
        (ONE_A_CONNECTION, "200 回まで。", "最初の結果が保存される前に来た分だけ。"),
        (HUNDREDS, "数百回。", "ほぼ全員がミスする。"),
    ],
    presets: &[
        ("unprotected", "レッスンのコード", "ミスした要求がそれぞれ読みに行く。"),
        ("single-flight", "シングルフライト", "1 台の要求は 1 回の読み取りを共有する。サーバーごとに 1 回。"),
        ("lease", "全体でのリース", "1 台だけが読み、L2 を埋めたらほかを起こす。"),
        ("short-lease", "短いリース", "リースが 20 ms で無効になる。クエリより短い。"),
    ],
    knobs: &[(CLIENTS.name, "クライアント数"), (QUERY_TIME.name, "クエリの時間")],
    checks: &[
        (ONE_QUERY, "DB クエリは 1 回"),
        (id::EQUAL_ANSWERS, "答えが等しい"),
        (id::ALL_ANSWERED, "すべてに応答"),
        (UNDER_100, "クエリは 100 回未満"),
    ],
    phases: &[
        (phase::START, "開始", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::WARM, "準備", "キャッシュを満たします。どの写しも最新になります。"),
        (phase::FORGET, "写しを捨てる", "ここで、すべての写しを捨てます。"),
        (phase::ACT, "本番", "準備ができました。**ここから本番です**。"),
    ],
};
