//! Risk: rules that decide before anything is sent. Pure and synchronous; each decision carries the
//! rule set's version and the rule that decided.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use indexmap::IndexMap;
use payments::{Amount, Currency, MerchantId, Mono, ResponseCode, Text};
use serde::Deserialize;

/// `risk.toml` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesFile {
    /// Named on every decision.
    pub version: Text<16>,
    /// Rules in order; the first that hits decides.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// One `[[rule]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// Its name, as it appears on decisions.
    pub name: Text<24>,
    /// DE39 of the decline.
    pub code: ResponseCode,
    /// Only for this merchant; all when absent.
    #[serde(default)]
    pub merchant: Option<MerchantId>,
    /// What it looks at.
    #[serde(flatten)]
    pub test: Test,
}

/// What a rule looks at.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Test {
    /// More than so much at once.
    AmountCeiling {
        /// Minor units.
        max_minor: i64,
        /// Of this currency.
        currency: Currency,
    },
    /// More than so many requests of one card (or account) in a sliding window.
    Velocity {
        /// Requests allowed.
        count: u32,
        /// Length of the window in seconds.
        window_s: u64,
    },
}

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The amount.
    pub amount: Amount,
    /// Keyed token of the card or account: never a PAN.
    pub subject: &'a [u8; 16],
    /// The merchant; empty for a credit transfer.
    pub merchant: MerchantId,
    /// Monotonic time.
    pub now: Mono,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// `None` allows; a code declines.
    pub decline: Option<ResponseCode>,
    /// `version:rule`, or `version:allow`.
    pub reason: Text<48>,
}

/// A rule set compiled from a file.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    version: Text<16>,
    rules: Vec<Rule>,
}

/// A rule that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A velocity rule that would remember too much.
    #[error("rule {0}: count must be 1 to {max} and window_s 1 to 86400", max = Velocity::EVENTS)]
    Bounds(Text<24>),
    /// A code that approves.
    #[error("rule {0}: code {1} approves; name a decline such as 61")]
    Approves(Text<24>, ResponseCode),
}

impl RuleError {
    /// The rule to look at.
    pub fn rule(&self) -> &Text<24> {
        match self {
            Self::Bounds(rule) | Self::Approves(rule, _) => rule,
        }
    }
}

impl Rules {
    /// Compiles and checks.
    pub fn compile(file: &RulesFile) -> Result<Self, RuleError> {
        for rule in &file.rule {
            if rule.code.outcome() != payments::Outcome::Declined {
                return Err(RuleError::Approves(rule.name, rule.code));
            }
            if let Test::Velocity { count, window_s } = rule.test {
                let sound = (1..=Velocity::EVENTS).contains(&usize::try_from(count).unwrap_or(usize::MAX));
                if !sound || !(1..=86_400).contains(&window_s) {
                    return Err(RuleError::Bounds(rule.name));
                }
            }
        }
        Ok(Self { version: file.version, rules: file.rule.clone() })
    }

    /// Decides, and counts the request for velocity, whatever comes of it. One that turns out to be a duplicate
    /// is taken back by [`Velocity::uncount`].
    pub fn decide(&self, input: &Input<'_>, velocity: &mut Velocity) -> Decision {
        velocity.count(*input.subject, input.now);
        let hit = self.rules.iter().find(|rule| {
            rule.merchant.is_none_or(|merchant| merchant == input.merchant)
                && match rule.test {
                    Test::AmountCeiling { max_minor, currency } => {
                        input.amount.currency() == currency && input.amount.minor() > max_minor
                    }
                    Test::Velocity { count, window_s } => {
                        velocity.seen(input.subject, input.now, Duration::from_secs(window_s))
                            > usize::try_from(count).unwrap_or(usize::MAX)
                    }
                }
        });
        let word = hit.map_or("allow", |rule| rule.name.as_str());
        let reason = Text::new(&format!("{}:{word}", self.version)).unwrap_or_default();
        Decision { decline: hit.map(|rule| rule.code), reason }
    }
}

/// When cards were seen: an exact log per card, bounded per card and in cards.
#[derive(Debug, Default)]
pub struct Velocity {
    seen: IndexMap<[u8; 16], VecDeque<Mono>>,
}

impl Velocity {
    /// Requests remembered per card.
    pub const EVENTS: usize = 256;
    /// Cards remembered; past that, one of those seen first is forgotten.
    pub const CARDS: usize = 200_000;

    /// Takes the last count of a card back: the request was one that had been counted before.
    pub fn uncount(&mut self, subject: &[u8; 16]) {
        if let Some(log) = self.seen.get_mut(subject) {
            log.pop_back();
        }
    }

    fn count(&mut self, subject: [u8; 16], now: Mono) {
        if self.seen.len() >= Self::CARDS && !self.seen.contains_key(&subject) {
            self.seen.swap_remove_index(0);
        }
        let log = self.seen.entry(subject).or_default();
        if log.len() >= Self::EVENTS {
            log.pop_front();
        }
        log.push_back(now);
    }

    fn seen(&self, subject: &[u8; 16], now: Mono, window: Duration) -> usize {
        self.seen.get(subject).map_or(0, |log| log.iter().rev().take_while(|at| now.since(**at) < window).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Rules {
        Rules::compile(&toml::from_str(text).unwrap()).unwrap()
    }

    fn input(minor: i64, subject: &[u8; 16], at_s: u64) -> Input<'_> {
        let amount = Amount::new(minor, Currency::EUR).unwrap();
        Input { amount, subject, merchant: MerchantId::default(), now: Mono(at_s * 1_000_000_000) }
    }

    #[test]
    fn a_ceiling_declines_above_and_names_its_rule() {
        let rules = rules(
            "version = \"r1\"\n[[rule]]\nname = \"ceiling\"\ncode = \"61\"\nkind = \"amount-ceiling\"\nmax_minor = 100\ncurrency = 978\n",
        );
        let mut velocity = Velocity::default();
        assert_eq!(rules.decide(&input(100, &[0; 16], 0), &mut velocity).decline, None);
        let over = rules.decide(&input(101, &[0; 16], 0), &mut velocity);
        assert_eq!((over.decline, over.reason.as_str()), (Some(ResponseCode::EXCEEDS_LIMIT), "r1:ceiling"));
    }

    #[test]
    fn a_misspelt_setting_is_refused() {
        let text = "version = \"r1\"\n[[rule]]\nname = \"x\"\ncode = \"65\"\nkind = \"velocity\"\ncount = 2\nwindow_s = 60\nwindows = 1\n";
        assert!(toml::from_str::<RulesFile>(text).unwrap_err().to_string().contains("windows"));
    }

    #[test]
    fn velocity_counts_within_its_window_only() {
        let rules =
            rules("version = \"r1\"\n[[rule]]\nname = \"often\"\ncode = \"65\"\nkind = \"velocity\"\ncount = 2\nwindow_s = 60\n");
        let mut velocity = Velocity::default();
        let decide = |at, velocity: &mut Velocity| rules.decide(&input(1, &[7; 16], at), velocity).decline.is_some();
        assert!(!decide(0, &mut velocity) && !decide(1, &mut velocity) && decide(2, &mut velocity));
        assert!(!decide(100, &mut velocity), "the window has passed");
        assert!(!decide(101, &mut velocity));
        velocity.uncount(&[7; 16]);
        assert!(!decide(102, &mut velocity), "the one before was a duplicate");
        assert!(decide(103, &mut velocity));
    }
}
