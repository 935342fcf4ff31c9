//! Stampede lock, in Japanese.

use super::{COMPUTATION, COMPUTED_ONCE, EACH_TIME, ONCE, ONCE_A_SERVER, REQUESTS};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "スタンピードとロック",
    story: "**{requests} の要求**が同時に **expensive:calculation** を求めます。計算には {compute-ms} ms かかります。\
        まだ誰も持っておらず、互いの存在を知りません。",
    promise: "すべての要求が、**1 回だけ計算された同じ答え**を受け取るべきです。",
    question: "何回計算されるでしょうか。",
    hint: "ロックは 1 人だけを通します。次に入った人は、まず何をすべきでしょうか。",
    why: "ロックがなければ、ミスした全員が計算します。ロックを取った後に見直さなければ、やはり全員が順番に計算します。",
    answers: &[
        (ONCE, "1 回。", "最初の結果をほかの要求が使う。"),
        (ONCE_A_SERVER, "サーバーごとに 1 回。", "同じサーバーの要求は互いに見える。"),
        (EACH_TIME, "{requests} 回。", "誰も互いを知らない。"),
    ],
    presets: &[
        ("unprotected", "レッスンのコード", "ミスした要求がそれぞれ計算する。"),
        ("lock", "ロック", "全体でのロック。ほかは 100 ms ごとに試し、先にキャッシュを見る。"),
        ("lock-push", "ロックと知らせ", "全体でのロック。ほかは持ち主に起こされる。"),
        ("no-recheck", "見直しなし", "ロックを取ったら、見直さずに計算する。"),
        ("fixed-wait", "固定の待ち時間", "ロックを取れなければ半秒待ち、自分で計算する。"),
    ],
    knobs: &[(REQUESTS.name, "要求の数"), (COMPUTATION.name, "計算の時間")],
    checks: &[
        (COMPUTED_ONCE, "計算は 1 回"),
        (id::EQUAL_ANSWERS, "答えが等しい"),
        (id::ALL_ANSWERED, "すべてに応答"),
    ],
    phases: &[
        (phase::START, "開始", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::ACT, "本番", "準備ができました。**ここから本番です**。"),
    ],
};
