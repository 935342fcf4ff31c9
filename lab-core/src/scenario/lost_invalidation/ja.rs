//! Lost invalidation, in Japanese.

use super::{FRESH_AFTER_HEAL, FRESH_IN_TIME, LOOK, LOOK_AGAIN, NEVER, STILL, UNTIL_HEALED, WAIT};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "失われた無効化",
    story: "4 台のサーバーが **product:1** = 50 を持っています。**srv-3** が通知を受け取る接続が、切断もされないまま\
        不通になりました。ソケットは開いていますが、送ったものは消えます。**srv-1** 経由で値が 100 に変わり、\
        {wait-ms} ms 後に全サーバーを読みます。その後ネットワークが復旧し、さらに {wait-ms} ms 後にもう一度読みます。",
    promise: "途中で何が失われても、書き込みのあと、ほどなく**誰も古い値を返さなくなる**こと。",
    question: "Redis は通知を配信済みで、エラーはどこにも出ていません。srv-3 はいつまで 50 と答えるでしょうか。",
    hint: "通知があったこと自体を、srv-3 はどうやって知りますか。pub/sub は再送しますか。",
    why: "pub/sub の配信は最大 1 回（at most once）です。黙り込んだソケットは「何も起きていないバス」と区別がつかず、\
        srv-3 は TTL まで古い値を返します。通知に連番を付ければ抜けはわかりますが、わかるのは次の通知が届いたときです。\
        ハートビートで連番を送っても、死んだ接続には届きません。頼れるのは沈黙そのものです。ハートビート数回分を\
        超えて何も聞こえなければ、L1 を使ってはいけません。",
    answers: &[
        (NEVER, "その時点ではもう答えない。", "通知は遅れても届く。"),
        (UNTIL_HEALED, "ネットワークが復旧するまで。", "復旧すれば、聞き逃した通知が届く。"),
        (STILL, "復旧してもまだ。", "知らせてくれるものが何もない。"),
    ],
    presets: &[
        ("forget", "レッスンのコード", "publish して終わり（fire and forget）。届かなければ誰も気づかない。"),
        (
            "silence-limit",
            "沈黙の上限",
            "連番つきの通知、毎秒 10 回のハートビート、0.5 秒沈黙したら L1 を使わない。",
        ),
        ("numbers-only", "連番だけ", "連番の抜けで L1 を空にする。だが、抜けに気づかせる次の通知が来ない。"),
        (
            "numbers-and-beats",
            "連番とハートビート",
            "ハートビートが最後の番号を繰り返す。死んだ接続はそれも飲み込む。",
        ),
    ],
    knobs: &[(WAIT.name, "読むまでの待ち時間")],
    checks: &[
        (FRESH_IN_TIME, "期限内に最新"),
        (FRESH_AFTER_HEAL, "復旧後は最新"),
        (id::ALL_ANSWERED, "すべてに応答"),
    ],
    phases: &[
        (phase::START, "開始", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::WARM, "準備", "キャッシュを満たします。どの写しも最新になります。"),
        (phase::ACT, "本番", "ここから **srv-3 には何も届きません**。本人は気づいていません。"),
        (LOOK, "確認", "気づくだけの時間はたちました。**何と答えるでしょうか。**"),
        (LOOK_AGAIN, "復旧後の確認", "ネットワークは復旧しました。**今度はどうでしょうか。**"),
    ],
};
