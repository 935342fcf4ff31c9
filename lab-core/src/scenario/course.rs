//! The course: every lesson of the catalogue by number, those that can be run and those to come.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::words::Lang;
use super::{SCENARIOS, ScenarioId};

/// A part of the course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chapter {
    /// How a cache comes to answer something old.
    Freshness,
    /// What many readers do to one source.
    HerdsAndLocks,
    /// What a reader may count on.
    Consistency,
    /// What happens when parts are gone.
    Failure,
    /// What more servers bring.
    Growth,
}

/// A line of the course rail.
#[derive(Clone, Copy, Debug)]
pub struct Lesson {
    /// Its number in the catalogue.
    pub number: u8,
    /// Its name in commands and links.
    pub slug: &'static str,
    /// The part of the course that it belongs to.
    pub chapter: Chapter,
    /// The scenario, where it can be run already.
    pub scenario: Option<ScenarioId>,
    /// Its title in English and Japanese.
    titles: [&'static str; 2],
}

impl Lesson {
    const fn coming(
        number: u8,
        slug: &'static str,
        chapter: Chapter,
        en: &'static str,
        ja: &'static str,
    ) -> Self {
        Self { number, slug, chapter, scenario: None, titles: [en, ja] }
    }

    fn ready(id: ScenarioId) -> Self {
        let scenario = id.scenario();
        let (number, slug, chapter) = (scenario.number, scenario.slug, scenario.chapter);
        let titles = Lang::ALL.map(|lang| id.words(lang).title);
        Self { number, slug, chapter, scenario: Some(id), titles }
    }

    /// Its title.
    pub fn title(&self, lang: Lang) -> &'static str {
        match lang {
            Lang::En => self.titles[0],
            Lang::Ja => self.titles[1],
        }
    }
}

/// The lessons to come. The one whose scenario enters the catalogue is no longer coming, whether it stands here or not.
const COMING: [Lesson; 12] = [
    Lesson::coming(2, "lost-invalidation", Chapter::Freshness, "Lost invalidation", "失われた無効化"),
    Lesson::coming(3, "stale-set-race", Chapter::Freshness, "Stale-set race", "古い値の書き戻し"),
    Lesson::coming(6, "lock-expiry", Chapter::HerdsAndLocks, "Lock expiry & fencing", "ロックの期限切れ"),
    Lesson::coming(7, "mass-expiry", Chapter::HerdsAndLocks, "Mass expiry & early refresh", "一斉の期限切れ"),
    Lesson::coming(8, "consistency-levels", Chapter::Consistency, "Consistency levels", "一貫性レベル"),
    Lesson::coming(9, "replication-lag", Chapter::Consistency, "Replication lag", "レプリケーション遅延"),
    Lesson::coming(10, "cold-start", Chapter::Failure, "Cold start & warming", "コールドスタート"),
    Lesson::coming(11, "node-failure", Chapter::Failure, "Node failure", "ノード障害"),
    Lesson::coming(12, "quorum-write", Chapter::Failure, "Partition & quorum writes", "分断と定足数書き込み"),
    Lesson::coming(13, "split-brain", Chapter::Failure, "Split brain", "スプリットブレイン"),
    Lesson::coming(14, "scaling-out", Chapter::Growth, "Scaling out", "スケールアウト"),
    Lesson::coming(15, "absent-and-zero", Chapter::Freshness, "Absent & zero", "不在とゼロ"),
];

/// The whole course, by number.
pub static COURSE: LazyLock<Vec<Lesson>> = LazyLock::new(|| {
    let here = |lesson: &Lesson| SCENARIOS.iter().any(|scenario| scenario.number == lesson.number);
    let ready = ScenarioId::ALL.into_iter().map(Lesson::ready);
    let mut course: Vec<_> = ready.chain(COMING.into_iter().filter(|lesson| !here(lesson))).collect();
    course.sort_by_key(|lesson| lesson.number);
    course
});
