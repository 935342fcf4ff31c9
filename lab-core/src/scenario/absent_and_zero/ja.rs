//! Absent and zero, in Japanese.

use super::{
    CREATE, EACH_READ, LOOK, NEW_ROW_SEEN, ONE, ONE_A_SERVER, ONE_QUERY_A_KEY, READ_AGAIN, ROUNDS, SETTLE,
};
use crate::check::id;
use crate::scenario::{Words, phase};

pub(in crate::scenario) static WORDS: Words = Words {
    title: "不在とゼロ",
    story: "商品 7 は在庫切れで、備考もなく、セール対象でもありません。つまり **stock:7** = 0、**note:7** = 空文字、\
        **sale:7** = false です。**product:8** の行はまだありません。まず **srv-1** が 4 つのキーを 1 回ずつ読み、\
        続いて 4 台すべてが全キーを {rounds} 回ずつ読みます。最後に **product:8** が登録されます。",
    promise: "DB クエリは **1 キーにつき 1 回**。登録されたばかりの行は、**すぐに見える**こと。",
    question: "読んでいる間、書き込みは一切ありません。1 つのキーにつき、DB クエリは何回発行されるでしょうか。",
    hint: "キャッシュから取り出した値を if (value) で判定しています。値が 0 ならどうなりますか。",
    why: "if (value) が見ているのは「値が truthy か」であって、「キャッシュにあるか」ではありません。0、空文字、false、\
        「行なし」はどれもキャッシュに入っているのにミス扱いになり、読むたびに DB へクエリが発行されます。",
    answers: &[
        (ONE, "1 回。", "最初の 1 回で、あとはキャッシュに載っている。"),
        (ONE_A_SERVER, "サーバーごとに 1 回。", "各サーバーが一度は読みに行く必要がある。"),
        (EACH_READ, "読むたびに 1 回。", "キャッシュに入っていても効いていない。"),
    ],
    presets: &[
        (
            "truthy",
            "レッスンのコード",
            "if (value) で判定する。falsy な値はすべてミス扱い。（初回はオブジェクトが返るのに、L1 からは文字列が返るという\
                問題もある。）",
        ),
        (
            "known",
            "ヒット・不在・ミス",
            "キャッシュにあるものはすべて答え。「行なし」は 5 秒だけキャッシュし、行が作られたら無効化する。",
        ),
        (
            "not-null",
            "null 判定",
            "value !== null で判定する。0 はヒットするが、行がないキーは毎回 DB に問い合わせる。",
        ),
        (
            "silent-create",
            "作成時は無効化なし",
            "「行なし」をキャッシュするが、INSERT では無効化しない。「存在しなかった行はキャッシュされていないはず」という思い込み。",
        ),
    ],
    knobs: &[(ROUNDS.name, "読み取りの周回数"), (SETTLE.name, "登録後の待ち時間")],
    checks: &[
        (ONE_QUERY_A_KEY, "クエリは 1 キー 1 回"),
        (NEW_ROW_SEEN, "新しい行が見える"),
        (id::ALL_ANSWERED, "全リクエストに応答"),
    ],
    phases: &[
        (phase::START, "起動", "サーバーが起動します。まだ何もキャッシュされていません。"),
        (phase::ACT, "初回の読み取り", "**srv-1** が各キーを初めて読みます。"),
        (READ_AGAIN, "繰り返し読む", "ここから全サーバーが全キーを**繰り返し**読みます。"),
        (CREATE, "登録", "存在しなかった行が**登録**されます。"),
        (LOOK, "確認", "通知が届くだけの時間がたちました。**新しい行**は全員に見えるでしょうか。"),
    ],
};
