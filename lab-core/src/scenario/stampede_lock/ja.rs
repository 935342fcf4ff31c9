//! Stampede lock, in Japanese.

use super::{COMPUTATION, COMPUTED_ONCE, EACH_TIME, ONCE, ONCE_A_SERVER, REQUESTS};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "スタンピードとロック",
    story: "**{requests} 件のリクエスト**が同時に **expensive:calculation** を求めます。計算には {compute-ms} ms かかります。\
        結果はまだどこにもキャッシュされておらず、リクエスト同士は互いの存在を知りません。",
    promise: "どのリクエストにも、**1 回だけ計算した同じ答え**を返すこと。",
    question: "計算は何回実行されるでしょうか。",
    hint: "ロックを取れるのは 1 つだけです。次にロックを取ったリクエストは、まず何をすべきでしょうか。",
    why: "ミスしたリクエストは、それぞれ計算を始めます。同じ計算がすでに走っていることを知る手段がないからです。計算が続く \
        {compute-ms} ms の間キャッシュは空のままなので、その間に来たリクエストもすべてミスします。",
    answers: &[
        (ONCE, "1 回。", "最初の結果をほかのリクエストが使う。"),
        (ONCE_A_SERVER, "サーバーごとに 1 回。", "同じサーバー内のリクエストは互いに見える。"),
        (EACH_TIME, "{requests} 回。", "誰も互いを知らない。"),
    ],
    presets: &[
        ("unprotected", "レッスンのコード", "ミスしたリクエストがそれぞれ計算する。"),
        (
            "lock",
            "分散ロック",
            "サーバーをまたぐロック。取れなければ 100 ms ごとに再試行し、その前にキャッシュを見る。",
        ),
        (
            "lock-push",
            "分散ロックと通知",
            "サーバーをまたぐロック。待っているリクエストは、ロックの保持者が起こす。",
        ),
        ("no-recheck", "再チェックなし", "ロックを取ったあと、キャッシュを再チェックせずに計算する。"),
        ("fixed-wait", "固定の待ち時間", "ロックを取れなければ 0.5 秒だけ待ち、自分で計算する。"),
    ],
    knobs: &[(REQUESTS.name, "リクエスト数"), (COMPUTATION.name, "計算時間")],
    checks: &[
        (COMPUTED_ONCE, "計算は 1 回"),
        (id::EQUAL_ANSWERS, "答えが一致"),
        (id::ALL_ANSWERED, "全リクエストに応答"),
    ],
    phases: &[
        (phase::START, "起動", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::ACT, "検証開始", "準備ができました。**ここから検証です**。"),
    ],
};
