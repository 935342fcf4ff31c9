//! Invalidation delay, in Japanese.

use super::{ALL, BUS_DELAY, FRESH_AFTER_SETTLING, NONE, READ_AGAIN, READ_AT_ONCE, SETTLE, SOME};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "無効化の遅延",
    story: "4 台のサーバーの L1 と Redis に **product:1** = 50 がキャッシュされています。ある顧客が **srv-1** 経由で値段を \
        100 に変更します。レッスンのコードどおり、DB、L2、自分の L1、パブリッシュの順です。ただし **srv-2**〜**srv-4** への\
        バスの配信が遅れています。",
    promise: "お店の約束：書き込みの ACK が返ったあとは、**誰も古い値を読まない**こと。",
    question: "書き込みの ACK が返った直後に srv-2・srv-3・srv-4 を読み、1 秒後にもう一度読みます。何が返るでしょうか。",
    hint: "ほかのサーバーには誰が知らせますか。書き込みは、それが届くのを待ちますか。",
    why: "書き込みは、無効化がほかのサーバーに届く前に ACK を返します。届くまでの間、ほかのサーバーは L1 に残った値を返し\
        続けます。ACK が保証するのは「DB にコミットした」ことだけで、「全サーバーが知っている」ことではありません。",
    answers: &[
        (NONE, "すべて 100。", "ACK が返った以上、どのサーバーも知っている。"),
        (SOME, "最初は一部が 50、1 秒後はすべて 100。", "通知より先に読まれたサーバーだけが古い。"),
        (ALL, "最初は 3 台とも 50、1 秒後はすべて 100。", "まだどこにも届いていない。"),
    ],
    presets: &[
        (
            "lesson",
            "レッスンのコード",
            "DB、L2、自分の L1、パブリッシュの順。ほかのサーバーは通知が届いて初めて知る。",
        ),
        (
            "first-listing",
            "最初のコード例",
            "DB、自分の L1、パブリッシュの順。L2 には古い値が残り、そこからまた読まれる。",
        ),
        ("acknowledged", "ACK つき無効化", "稼働中の全サーバーが古い値を破棄してから、更新が完了を返す。"),
        ("strong-reads", "強整合性の読み取り", "毎回プライマリから読む。"),
        (
            "session-reads",
            "セッション整合性",
            "自分の書き込みは必ず読める。ほかのクライアントは古い値を読むことがある。",
        ),
        ("short-ttl", "短い TTL", "L1 の TTL を 1 分から 1 秒に縮める。"),
        ("publish-first", "先にパブリッシュ", "コミットより先に無効化をパブリッシュする。"),
    ],
    knobs: &[(BUS_DELAY.name, "バスの遅延"), (SETTLE.name, "2 回目に読むまでの時間")],
    checks: &[
        (id::NO_STALE_READ, "古い値を読まない"),
        (FRESH_AFTER_SETTLING, "1 秒後は最新"),
        (id::ALL_ANSWERED, "全リクエストに応答"),
        (id::READ_YOUR_WRITES, "自分の書き込みを読める"),
    ],
    phases: &[
        (phase::START, "起動", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::WARM, "ウォームアップ", "キャッシュを温めます。どのコピーも最新です。"),
        (phase::ACT, "検証開始", "準備ができました。**ここから検証です**。"),
        (READ_AT_ONCE, "直後の読み取り", "書き込みの ACK が返りました。**すぐに**読みます。"),
        (READ_AGAIN, "再読み取り", "通知が届くだけの時間がたちました。**もう一度**読みます。"),
    ],
};
