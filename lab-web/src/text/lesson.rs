//! What a lesson says: titles, steps, story, question, answers, hint, reason; names of policies, switches, knobs, checks.
//!
//! The core names things by ids and says what is true; the words for learners are here, in both languages. An id
//! without words is shown as it is, so that a new scenario is never blank.

use lab_core::policy::Switch;
use lab_core::report::figure;
use lab_core::scenario::{Chapter, ScenarioId};
use lab_core::world::{Fault, Link};

use super::{Lang, Text, ui};
use crate::state::Step;

macro_rules! texts {
    ($($name:ident = $en:literal, $ja:literal;)*) => {
        $(const $name: Text = Text::new($en, $ja);)*

        /// Every text of the lessons, for the test that both languages are there.
        #[cfg(test)]
        pub(crate) const ALL: &[Text] = &[$($name),*];
    };
}

texts! {
    ID_STORY = "Four servers each keep **product:1** = 50 in memory, and so does Redis. A customer changes it to 100 through **srv-1**, as the lesson’s code does: database, L2, own L1, publish. The bus is slow to reach **srv-2** to **srv-4**.",
        "4 台のサーバーと Redis が **product:1** = 50 を保持しています。ある顧客が **srv-1** を通して値を 100 に変えます。レッスンのコードのとおり、データベース、L2、自分の L1、発行の順です。バスは **srv-2**〜**srv-4** に届くのが遅れています。";
    ID_PROMISE = "The shop promises: once a write is acknowledged, **nobody reads the old value**.",
        "店の約束：書き込みが確認されたら、**誰も古い値を読まない**こと。";
    ID_QUESTION = "The write is about to be sent. As soon as it is acknowledged srv-2, srv-3 and srv-4 are read, and again after a second. What do they answer?",
        "書き込みが確認された直後に srv-2・srv-3・srv-4 を読み、1 秒後にもう一度読みます。何と答えるでしょうか。";
    ID_HINT = "Who tells the other servers, and does the write wait for it?", "ほかのサーバーには誰が知らせますか。書き込みはそれを待ちますか。";
    ID_WHY = "The write returns before its invalidation has arrived. Until then every other L1 serves what it has. Only a write that waits for the others, or a read that asks the database, keeps the promise.",
        "書き込みは、無効化が届く前に完了を返します。届くまで、ほかの L1 は手元の値を返し続けます。約束を守れるのは、ほかのサーバーの確認を待つ書き込みか、データベースに尋ねる読み取りだけです。";
    TH_STORY = "Every copy of **popular:item** is gone: no L1 has it, and Redis does not either. In the same moment **1000 clients** ask four servers for it. A query takes 50 ms, and each server has five connections to the database.",
        "**popular:item** の写しがすべて消えました。どの L1 にも、Redis にもありません。その瞬間、**1000 のクライアント**が 4 台のサーバーに同時に要求します。クエリは 50 ms かかり、各サーバーのデータベース接続は 5 本です。";
    TH_PROMISE = "One query would be enough for all of them: the goal is **one database query**.", "全員にとって 1 回のクエリで十分です。ゴールは**データベースクエリ 1 回**です。";
    TH_QUESTION = "How many queries does the database get?", "データベースに届くクエリは何回でしょうか。";
    TH_HINT = "Each request looks in L1, then in Redis, then asks the database. What do the other 999 know meanwhile?",
        "各要求は L1、Redis、データベースの順に探します。その間、残りの 999 は何を知っているでしょうか。";
    TH_WHY = "A miss takes as long as the query. Whoever comes meanwhile misses too, and asks again. Single flight stops that inside one server; only a lease across the fleet leaves one reader for all.",
        "ミスはクエリが終わるまで続きます。その間に来た要求もミスし、また尋ねます。シングルフライトは 1 台の中だけを防ぎます。全体で 1 回にできるのは、全サーバーにまたがるリースだけです。";
    SL_STORY = "Ten requests want **expensive:calculation** at the same time. Computing it takes a second. Nobody has it yet, and nothing tells them of each other.",
        "10 の要求が同時に **expensive:calculation** を求めます。計算には 1 秒かかります。まだ誰も持っておらず、互いの存在を知りません。";
    SL_PROMISE = "All ten should get **the same answer, computed once**.", "10 の要求すべてが、**1 回だけ計算された同じ答え**を受け取るべきです。";
    SL_QUESTION = "How often is it computed?", "何回計算されるでしょうか。";
    SL_HINT = "A lock lets one in. What must the next one do first when it gets in?", "ロックは 1 人だけを通します。次に入った人は、まず何をすべきでしょうか。";
    SL_WHY = "Without a lock everybody who misses computes. With a lock that does not look again after it was got, everybody computes too, one after another.",
        "ロックがなければ、ミスした全員が計算します。ロックを取った後に見直さなければ、やはり全員が順番に計算します。";
}

/// What a lesson says.
pub(crate) struct Lesson {
    /// The situation, in a few sentences.
    pub(crate) story: Text,
    /// What must hold.
    pub(crate) promise: Text,
    /// The question before the run.
    pub(crate) question: Text,
    /// A nudge.
    pub(crate) hint: Text,
    /// The reason, told with the answer.
    pub(crate) why: Text,
}

/// What the lesson of a scenario says.
pub(crate) fn lesson(id: ScenarioId) -> Lesson {
    match id {
        ScenarioId::InvalidationDelay => {
            Lesson { story: ID_STORY, promise: ID_PROMISE, question: ID_QUESTION, hint: ID_HINT, why: ID_WHY }
        }
        ScenarioId::ThunderingHerd => {
            Lesson { story: TH_STORY, promise: TH_PROMISE, question: TH_QUESTION, hint: TH_HINT, why: TH_WHY }
        }
        ScenarioId::StampedeLock => {
            Lesson { story: SL_STORY, promise: SL_PROMISE, question: SL_QUESTION, hint: SL_HINT, why: SL_WHY }
        }
    }
}

/// The title of a lesson, by its slug; the core's English one where there is no other.
pub(crate) fn title(slug: &str, english: &'static str, lang: Lang) -> &'static str {
    if lang == Lang::En {
        return english;
    }
    match slug {
        "invalidation-delay" => "無効化の遅延",
        "lost-invalidation" => "失われた無効化",
        "stale-set-race" => "古い値の書き戻し",
        "thundering-herd" => "殺到（サンダリングハード）",
        "stampede-lock" => "スタンピードとロック",
        "lock-expiry" => "ロックの期限切れ",
        "mass-expiry" => "一斉の期限切れ",
        "consistency-levels" => "一貫性レベル",
        "replication-lag" => "レプリケーション遅延",
        "cold-start" => "コールドスタート",
        "node-failure" => "ノード障害",
        "quorum-write" => "分断と定足数書き込み",
        "split-brain" => "スプリットブレイン",
        "scaling-out" => "スケールアウト",
        "absent-and-zero" => "不在とゼロ",
        _ => english,
    }
}

/// The name of a step.
pub(crate) fn step(step: Step) -> Text {
    match step {
        Step::Predict => ui::STEP_PREDICT,
        Step::Fail => ui::STEP_FAIL,
        Step::Through => ui::STEP_STEP,
        Step::Hold => ui::STEP_HOLD,
        Step::Real => ui::STEP_REAL,
    }
}

/// The name of a chapter.
pub(crate) fn chapter(chapter: Chapter) -> Text {
    match chapter {
        Chapter::Freshness => ui::CHAPTER_FRESHNESS,
        Chapter::HerdsAndLocks => ui::CHAPTER_HERDS,
        Chapter::Consistency => ui::CHAPTER_CONSISTENCY,
        Chapter::Failure => ui::CHAPTER_FAILURE,
        Chapter::Growth => ui::CHAPTER_GROWTH,
    }
}

/// Name and sentence of a switch.
pub(crate) fn switch(switch: Switch, lang: Lang) -> (&'static str, &'static str) {
    match lang {
        Lang::En => switch_en(switch),
        Lang::Ja => switch_ja(switch),
    }
}

fn switch_en(switch: Switch) -> (&'static str, &'static str) {
    match switch {
        Switch::WriteShared => ("Write to L2", "A write stores the new value in Redis"),
        Switch::AcknowledgedInvalidation => (
            "Acknowledged invalidation",
            "A write returns when every live server has forgotten the old value",
        ),
        Switch::StrongReads => ("Strong reads", "Every read asks the primary"),
        Switch::SessionReads => ("Session reads", "Nobody reads below what they wrote or read before"),
        Switch::ShortLocalTtl => ("Short L1 TTL", "L1 keeps an entry for one second instead of a minute"),
        Switch::PublishBeforeCommit => {
            ("Publish before commit", "The others hear before the database is written")
        }
        Switch::SingleFlight => ("Single flight", "Requests of one server share one read"),
        Switch::FleetLease => ("Lease across the fleet", "One server fills, the others wait to be woken"),
        Switch::ShortLease => ("Short lease", "The lease is void after 20 ms"),
        Switch::Lock => ("Lock", "Only the holder of a lock in Redis computes"),
        Switch::RecheckAfterLock => {
            ("Look again after locking", "The caches are read once more inside the lock")
        }
        Switch::PushWaiters => ("Wake the waiters", "The holder tells them, instead of a try every 100 ms"),
        Switch::FixedWait => ("Fixed wait", "Waiters wait half a second, then compute themselves"),
    }
}

fn switch_ja(switch: Switch) -> (&'static str, &'static str) {
    match switch {
        Switch::WriteShared => ("L2 にも書く", "書き込みが新しい値を Redis に入れる"),
        Switch::AcknowledgedInvalidation => {
            ("確認つき無効化", "生きている全サーバーが古い値を忘れてから書き込みを返す")
        }
        Switch::StrongReads => ("強い読み取り", "読み取りは毎回プライマリに尋ねる"),
        Switch::SessionReads => ("セッション読み取り", "自分が書いた・読んだ版より前には戻らない"),
        Switch::ShortLocalTtl => ("L1 の期限を短く", "L1 の保持を 1 分から 1 秒にする"),
        Switch::PublishBeforeCommit => ("確定前に発行", "データベースの確定より先に知らせる"),
        Switch::SingleFlight => ("シングルフライト", "1 台の中の要求が 1 回の読み取りを共有する"),
        Switch::FleetLease => ("全体でのリース", "1 台だけが埋め、ほかは知らせを待つ"),
        Switch::ShortLease => ("短いリース", "リースは 20 ms で無効になる"),
        Switch::Lock => ("ロック", "Redis のロックの持ち主だけが計算する"),
        Switch::RecheckAfterLock => ("取得後に見直す", "ロックの中でもう一度キャッシュを見る"),
        Switch::PushWaiters => ("待ち手を起こす", "100 ms ごとの再試行の代わりに知らせる"),
        Switch::FixedWait => ("固定の待ち時間", "半秒待ち、なければ自分で計算する"),
    }
}

/// A name with hyphens as words: what is shown for an id that has no words of its own.
pub(crate) fn humanised(id: &str) -> String {
    let words = id.replace('-', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The name of a figure.
pub(crate) fn figure_name(id: &str, lang: Lang) -> String {
    let text = match id {
        figure::DB_QUERIES => ui::FIG_DB_QUERIES,
        figure::REDIS_CALLS => ui::FIG_REDIS_CALLS,
        figure::BUS_NOTICES => ui::FIG_BUS_NOTICES,
        figure::L1_HIT_SHARE => ui::FIG_L1_HIT,
        figure::HIT_SHARE => ui::FIG_HIT,
        figure::READ_P50 => ui::FIG_READ_P50,
        figure::READ_P99 => ui::FIG_READ_P99,
        figure::WRITE_MEAN => ui::FIG_WRITE,
        figure::STALE_READS => ui::FIG_STALE_READS,
        figure::STALENESS_MAX => ui::FIG_STALENESS,
        figure::COMPUTATIONS => ui::FIG_COMPUTATIONS,
        figure::WAITER_MEAN => ui::FIG_WAITER,
        other => return humanised(other),
    };
    text.get(lang).to_owned()
}

/// A fault in words.
pub(crate) fn fault(fault: &Fault, lang: Lang) -> String {
    let (link, what) = match fault {
        Fault::Delay { link, by_ms } => (link_name(*link, lang), format!("+{by_ms} ms")),
        Fault::Cut(link) => (link_name(*link, lang), ui::FAULT_CUT.get(lang).to_owned()),
        Fault::BlackHole(link) => (link_name(*link, lang), ui::FAULT_SILENT.get(lang).to_owned()),
        Fault::Heal(link) => (link_name(*link, lang), "ok".to_owned()),
        Fault::Kill(actor) => (format!("{actor} "), ui::FAULT_KILLED.get(lang).to_owned()),
    };
    format!("{link}{what}")
}

/// A link in words, with a space behind.
pub(crate) fn link_name(link: Link, lang: Lang) -> String {
    match link {
        Link::BusTo(server) => ui::FAULT_DELAY_BUS.with(lang, &[&server.to_string()]),
        Link::From(from, to) => ui::FAULT_LINK.with(lang, &[&from.to_string(), &to.to_string()]),
    }
}
