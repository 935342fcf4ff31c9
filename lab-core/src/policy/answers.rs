//! What the caches take for an answer: whether nothing, and "there is no such row", are something to remember.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// What the caches take for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// Which of the contents that a cache holds count as a hit.
    pub hit: HitTest,
    /// How long "there is no such row" may be served, in milliseconds, where that is less than for a row.
    pub absent_ttl_ms: u64,
    /// Whether a write that creates a row touches the caches as any other does. Who leaves them alone thinks that
    /// nobody can have cached what did not exist.
    pub created: Created,
}

/// Which of the contents that a cache holds count as a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HitTest {
    /// The lesson's `if (value)`: neither 0, nor an empty text, nor `false`, nor an absent row.
    Truthy,
    /// `if (value !== null)`: every content, but no absent row.
    NotNull,
    /// Whatever the cache holds: an absent row is an answer, and a miss is something else.
    Known,
}

/// What a write that creates a row does to the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Created {
    /// What every write does.
    Invalidates,
    /// Nothing.
    LeavesCaches,
}

impl Default for AnswerRule {
    fn default() -> Self {
        Self { hit: HitTest::Known, absent_ttl_ms: 3_600_000, created: Created::Invalidates }
    }
}

impl AnswerRule {
    /// Whether what a cache holds counts as a hit; `None` stands for a row known to be absent.
    pub fn is_hit(&self, content: Option<&Value>) -> bool {
        match self.hit {
            HitTest::Truthy => content.is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false")),
            HitTest::NotNull => content.is_some(),
            HitTest::Known => true,
        }
    }

    /// How long an entry may be served, of which a row may be served for `ttl`.
    pub fn ttl(&self, content: Option<&Value>, ttl: Duration) -> Duration {
        if content.is_some() { ttl } else { ttl.min(Duration::from_millis(self.absent_ttl_ms)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(hit: HitTest) -> [bool; 5] {
        let rule = AnswerRule { hit, ..AnswerRule::default() };
        let contents = [Some("50"), Some("0"), Some(""), Some("false"), None];
        contents.map(|content| rule.is_hit(content.map(Value::new).as_ref()))
    }

    #[test]
    fn what_is_falsy_or_absent_is_a_hit_only_for_who_asks_so() {
        assert_eq!(hits(HitTest::Truthy), [true, false, false, false, false]);
        assert_eq!(hits(HitTest::NotNull), [true, true, true, true, false]);
        assert_eq!(hits(HitTest::Known), [true; 5]);
    }

    #[test]
    fn an_absent_row_is_kept_for_the_shorter_time() {
        let rule = AnswerRule { absent_ttl_ms: 5_000, ..AnswerRule::default() };
        let (short, long) = (Duration::from_secs(1), Duration::from_mins(1));
        assert_eq!(rule.ttl(Some(&Value::new("")), long), long);
        assert_eq!(rule.ttl(None, long), Duration::from_secs(5));
        assert_eq!(rule.ttl(None, short), short);
    }
}
