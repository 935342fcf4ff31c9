//! Words for the ids of the core: answers, checks, presets, knobs. An id without words is shown as it is.

use lab_core::scenario::{Preset, ScenarioId};

use super::Lang;
use super::lesson::humanised;

fn pick(lang: Lang, en: &'static str, ja: &'static str) -> &'static str {
    match lang {
        Lang::En => en,
        Lang::Ja => ja,
    }
}

/// An answer to the question of a scenario: the answer itself, and a thought that may stand behind it.
pub(crate) fn answer(scenario: ScenarioId, id: &str, lang: Lang) -> (String, &'static str) {
    let (en, ja) = match (scenario, id) {
        (ScenarioId::InvalidationDelay, "none") => (
            ("All answer 100.", "The write was acknowledged, so it is known everywhere."),
            ("すべて 100 と答える。", "書き込みは確認済みなので、どこでも知られている。"),
        ),
        (ScenarioId::InvalidationDelay, "some") => (
            (
                "At first some answer 50, after a second all answer 100.",
                "It depends on which reader is faster than its notice.",
            ),
            ("最初は一部が 50、1 秒後は全部が 100。", "通知より先に読んだサーバーだけが古い。"),
        ),
        (ScenarioId::InvalidationDelay, "all") => (
            ("At first all three answer 50, after a second all answer 100.", "None of them has heard yet."),
            ("最初は 3 台とも 50、1 秒後は全部が 100。", "まだどこにも届いていない。"),
        ),
        (ScenarioId::ThunderingHerd, "one") => (
            ("One.", "The first one fills the cache for all."),
            ("1 回。", "最初の 1 件が全員のために埋める。"),
        ),
        (ScenarioId::ThunderingHerd, "one-a-server") => (
            ("Up to twenty.", "One a server, or one a connection: that is all that fits at once."),
            ("20 回まで。", "サーバーごと、または接続ごとに 1 回。同時に入るのはそれだけ。"),
        ),
        (ScenarioId::ThunderingHerd, "one-a-connection") => (
            ("Up to two hundred.", "Those that come before the first answer is stored."),
            ("200 回まで。", "最初の結果が保存される前に来た分だけ。"),
        ),
        (ScenarioId::ThunderingHerd, "hundreds") => {
            (("Hundreds.", "Nearly everybody misses."), ("数百回。", "ほぼ全員がミスする。"))
        }
        (ScenarioId::StampedeLock, "once") => (
            ("Once.", "The first one’s result is there for the others."),
            ("1 回。", "最初の結果をほかの要求が使う。"),
        ),
        (ScenarioId::StampedeLock, "once-a-server") => (
            ("Once a server.", "Requests of one server see each other."),
            ("サーバーごとに 1 回。", "同じサーバーの要求は互いに見える。"),
        ),
        (ScenarioId::StampedeLock, "each-time") => {
            (("Ten times.", "Nobody knows of anybody."), ("10 回。", "誰も互いを知らない。"))
        }
        _ => return (humanised(id), ""),
    };
    let (text, thought) = if lang == Lang::En { en } else { ja };
    (text.to_owned(), thought)
}

/// What a check asks for.
pub(crate) fn check(id: &str, lang: Lang) -> String {
    let text = match id {
        "no-stale-read" => pick(lang, "No stale read", "古い読み取りなし"),
        "fresh-after-settling" => pick(lang, "Fresh after a second", "1 秒後は最新"),
        "all-answered" => pick(lang, "All answered", "すべてに応答"),
        "read-your-writes" => pick(lang, "Reads its own write", "自分の書き込みを読める"),
        "one-query" => pick(lang, "One database query", "DB クエリは 1 回"),
        "queries-under-100" => pick(lang, "Fewer than 100 queries", "クエリは 100 回未満"),
        "computed-once" => pick(lang, "Computed once", "計算は 1 回"),
        "equal-answers" => pick(lang, "Equal answers", "答えが等しい"),
        other => return humanised(other),
    };
    text.to_owned()
}

/// Name and sentence of a preset.
pub(crate) fn preset(preset: &Preset, lang: Lang) -> (String, &'static str) {
    if lang == Lang::En {
        let name = match preset.name {
            "lesson" | "unprotected" => "The lesson’s code".to_owned(),
            "short-ttl" => "Short TTL".to_owned(),
            other => humanised(other),
        };
        return (name, preset.sentence);
    }
    let (name, sentence) = match preset.name {
        "lesson" => (
            "レッスンのコード",
            "データベース、L2、自分の L1、発行の順。ほかのサーバーは通知が届いて初めて知る。",
        ),
        "first-listing" => {
            ("最初のリスト", "データベース、自分の L1、発行。L2 は古い値を持ち続け、また配る。")
        }
        "acknowledged" => ("確認つき無効化", "生きている全サーバーが古い値を忘れてから更新を返す。"),
        "strong-reads" => ("強い読み取り", "読み取りは毎回プライマリに尋ねる。"),
        "session-reads" => {
            ("セッション読み取り", "自分の書き込みは読める。ほかの人は古い値を読むことがある。")
        }
        "short-ttl" => ("短い TTL", "L1 の保持を 1 分から 1 秒にする。"),
        "publish-first" => ("先に発行", "確定より先に無効化を発行する。"),
        "unprotected" => ("レッスンのコード", "ミスした要求がそれぞれ読みに行く。"),
        "single-flight" => {
            ("シングルフライト", "1 台の要求は 1 回の読み取りを共有する。サーバーごとに 1 回。")
        }
        "lease" => ("全体でのリース", "1 台だけが読み、L2 を埋めたらほかを起こす。"),
        "short-lease" => ("短いリース", "リースが 20 ms で無効になる。クエリより短い。"),
        "lock" => ("ロック", "全体でのロック。ほかは 100 ms ごとに試し、先にキャッシュを見る。"),
        "lock-push" => ("ロックと知らせ", "全体でのロック。ほかは持ち主に起こされる。"),
        "no-recheck" => ("見直しなし", "ロックを取ったら、見直さずに計算する。"),
        "fixed-wait" => ("固定の待ち時間", "ロックを取れなければ半秒待ち、自分で計算する。"),
        _ => return (humanised(preset.name), preset.sentence),
    };
    (name.to_owned(), sentence)
}

/// Name and unit of a knob.
pub(crate) fn knob(name: &str, lang: Lang) -> (String, &'static str) {
    let unit = if name.ends_with("-ms") { "ms" } else { "" };
    let text = match name {
        "bus-delay-ms" => pick(lang, "Bus delay", "バスの遅延"),
        "settle-ms" => pick(lang, "Wait before the second read", "読み直すまでの時間"),
        "clients" => pick(lang, "Clients", "クライアント数"),
        "query-ms" => pick(lang, "Query time", "クエリの時間"),
        "requests" => pick(lang, "Requests", "要求の数"),
        "compute-ms" => pick(lang, "Computing time", "計算の時間"),
        other => return (humanised(other.trim_end_matches("-ms")), unit),
    };
    (text.to_owned(), unit)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn every_id_of_the_catalogue_has_words_in_both_languages() {
        for id in ScenarioId::ALL {
            let scenario = id.scenario();
            for name in scenario.answers {
                let words = |lang| answer(id, name, lang);
                assert!(!words(Lang::En).1.is_empty(), "the answer {name} of {id} has no English");
                assert_ne!(words(Lang::En), words(Lang::Ja), "the answer {name} of {id} has no Japanese");
            }
            for named in scenario.presets {
                assert_ne!(
                    preset(named, Lang::En).0,
                    preset(named, Lang::Ja).0,
                    "{} has no Japanese",
                    named.name
                );
            }
            for named in scenario.knobs {
                assert_ne!(
                    knob(named.name, Lang::En).0,
                    knob(named.name, Lang::Ja).0,
                    "{} has no Japanese",
                    named.name
                );
            }
        }
    }
}
