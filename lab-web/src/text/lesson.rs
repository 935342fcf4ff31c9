//! Words around a lesson: its own, which stand in the scenario's folder, with the values of its knobs; and those that
//! lessons share: steps, chapters, switches, figures, faults.

use lab_core::fault::Peril;
use lab_core::policy::Switch;
use lab_core::report::figure;
use lab_core::scenario::{COURSE, Chapter, RunSpec, Words, words};
use lab_core::world::{Fault, Link};

use super::{Lang, Text, ui};
use crate::state::Step;

/// What the lesson of a run says, with the values of the knobs that it names.
pub(crate) fn told(spec: &RunSpec, pick: impl Fn(&Words) -> &'static str, lang: Lang) -> String {
    words::told(pick(spec.scenario.words(lang)), spec.scenario, &spec.settings)
}

/// That a lesson is still to come, and which ones can be taken now.
pub(crate) fn coming(lang: Lang) -> String {
    let titles = COURSE.iter().filter(|lesson| lesson.scenario.is_some()).map(|lesson| lesson.title(lang));
    let list = titles.map(|title| ui::QUOTED.with(lang, &[title])).collect::<Vec<_>>();
    ui::COMING_LESSON.with(lang, &[&list.join(ui::LIST_COMMA.get(lang))])
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

/// A kind of trouble, in a sentence without its end.
pub(crate) fn peril(peril: Peril, lang: Lang) -> &'static str {
    if lang == Lang::En {
        return peril.sentence();
    }
    match peril {
        Peril::BusLate => "通知が遅れる",
        Peril::BusLost => "通知、または通知を運ぶ接続が失われる",
        Peril::RedisAway => "サーバーから Redis への通信が遅い、または届かない",
        Peril::DatabaseAway => {
            "サーバーからプライマリへの通信が遅い、または届かない。あるいは SQL の実行が遅い"
        }
        Peril::ServerPaused => "サーバーが最長 4 秒停止し、再開する",
        Peril::ServerKilled => "サーバーが落ちる（再起動する場合もある）",
        Peril::ClockOff => "サーバーの時計がずれる",
        Peril::PrimaryRestarted => "プライマリが落ち、再起動する",
        Peril::PrimaryPaused => "プライマリが一時停止し、再開する",
        Peril::RedisRestarted => "Redis のマスターが落ち、再起動する（その間にレプリカが昇格することもある）",
        Peril::RedisPaused => {
            "Redis のマスターが一時停止し、再開する（その間にレプリカが昇格することもある）"
        }
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
        Switch::ZeroIsAnswer => ("Zero is a hit", "“value !== null” instead of “if (value)”"),
        Switch::AbsentIsAnswer => {
            ("Absent is a hit", "“There is no such row” is remembered for five seconds")
        }
        Switch::CreateInvalidates => ("Creating invalidates", "A new row is announced as any other write is"),
        Switch::GuardedFills => {
            ("Guarded fills", "An empty slot takes a value only from a read whose token still lies there")
        }
        Switch::CompareVersions => ("Compare versions", "L2 takes no value older than the one that it holds"),
        Switch::DeleteTwice => ("Delete twice", "The write deletes the key once more, 200 ms later"),
        Switch::Outbox => ("Outbox", "What a writer could not publish, another server publishes"),
        Switch::SequenceNumbers => ("Sequence numbers", "A hole in the numbers of the notices empties L1"),
        Switch::Heartbeats => ("Heartbeats", "Each server repeats its last number ten times a second"),
        Switch::SilenceLimit => ("Silence limit", "L1 is not served after half a second without a notice"),
    }
}

fn switch_ja(switch: Switch) -> (&'static str, &'static str) {
    match switch {
        Switch::WriteShared => ("L2 にも書く", "書き込み時に、新しい値を Redis にも入れる"),
        Switch::AcknowledgedInvalidation => {
            ("ACK つき無効化", "稼働中の全サーバーが古い値を破棄してから、書き込みが完了を返す")
        }
        Switch::StrongReads => ("強整合性の読み取り", "毎回プライマリから読む"),
        Switch::SessionReads => ("セッション整合性", "自分が書いた・読んだバージョンより前には戻らない"),
        Switch::ShortLocalTtl => ("L1 の TTL を短く", "L1 の TTL を 1 分から 1 秒にする"),
        Switch::PublishBeforeCommit => ("コミット前にパブリッシュ", "DB のコミットより先に無効化を流す"),
        Switch::SingleFlight => ("シングルフライト", "同じサーバーのリクエストが 1 回の読み取りを共有する"),
        Switch::FleetLease => ("サーバー間リース", "1 台だけがキャッシュを埋め、ほかは通知を待つ"),
        Switch::ShortLease => ("短いリース", "リースは 20 ms で失効する"),
        Switch::Lock => ("分散ロック", "Redis のロックを取れたリクエストだけが計算する"),
        Switch::RecheckAfterLock => {
            ("ロック取得後に再チェック", "ロックを取ったあと、もう一度キャッシュを見る")
        }
        Switch::PushWaiters => ("待機中のリクエストを起こす", "100 ms ごとの再試行の代わりに通知する"),
        Switch::FixedWait => ("固定の待ち時間", "0.5 秒待ち、なければ自分で計算する"),
        Switch::ZeroIsAnswer => ("0 もヒット", "「if (value)」ではなく「value !== null」で判定する"),
        Switch::AbsentIsAnswer => ("ネガティブキャッシュ", "「行なし」という答えも 5 秒間キャッシュする"),
        Switch::CreateInvalidates => ("作成時も無効化", "新しい行の INSERT でも、更新と同じく無効化を流す"),
        Switch::GuardedFills => (
            "トークンつきキャッシュ登録",
            "空のスロットに入れられるのは、自分のトークンが残っている読み手だけ",
        ),
        Switch::CompareVersions => ("バージョン比較", "L2 は、保持中の値より古いバージョンを受け取らない"),
        Switch::DeleteTwice => ("遅延二重削除", "200 ms 後にもう一度キーを削除する"),
        Switch::Outbox => {
            ("アウトボックス", "書いたサーバーが通知できなかった更新を、ほかのサーバーが通知する")
        }
        Switch::SequenceNumbers => ("連番", "通知の連番に抜けがあれば L1 を空にする"),
        Switch::Heartbeats => ("ハートビート", "各サーバーが最後の番号を毎秒 10 回送る"),
        Switch::SilenceLimit => ("無通信タイムアウト", "0.5 秒何も届かなければ L1 を使わない"),
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
    let what = match fault {
        Fault::Delay { by_ms, .. } | Fault::SlowStatements { by_ms } => format!("+{by_ms} ms"),
        Fault::Skew { by_ms, .. } => ui::FAULT_SKEW.with(lang, &[&format!("{by_ms:+}")]),
        Fault::Cut(_) => ui::FAULT_CUT.get(lang).to_owned(),
        Fault::BlackHole(_) => ui::FAULT_SILENT.get(lang).to_owned(),
        Fault::Reset(_) => ui::FAULT_RESET.get(lang).to_owned(),
        Fault::Hold(_) => ui::FAULT_HELD.get(lang).to_owned(),
        Fault::Kill(_) => ui::FAULT_KILLED.get(lang).to_owned(),
        Fault::Pause(_) => ui::FAULT_PAUSED.get(lang).to_owned(),
        Fault::PauseReplay(_) => ui::FAULT_NO_REPLAY.get(lang).to_owned(),
        Fault::Heal(_)
        | Fault::Release(_)
        | Fault::Restart(_)
        | Fault::Resume(_)
        | Fault::ResumeReplay(_) => "ok".to_owned(),
    };
    let place = place(*fault, lang);
    if place.is_empty() { what } else { format!("{place} {what}") }
}

/// Where a fault strikes; nothing where that is everywhere.
pub(crate) fn place(fault: Fault, lang: Lang) -> String {
    match (fault.link(), fault.actor()) {
        (Some(link), _) => link_name(link, lang).trim_end().to_owned(),
        (None, Some(actor)) => actor.to_string(),
        (None, None) => String::new(),
    }
}

/// A link in words, with a space behind.
pub(crate) fn link_name(link: Link, lang: Lang) -> String {
    match link {
        Link::BusTo(server) => ui::FAULT_DELAY_BUS.with(lang, &[&server.to_string()]),
        Link::From(from, to) => ui::FAULT_LINK.with(lang, &[&from.to_string(), &to.to_string()]),
    }
}
