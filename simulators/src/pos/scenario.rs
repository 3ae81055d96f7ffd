//! Scenarios: what terminals do, step by step, and what they expect. Files are TOML.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cards::Class;

/// Most steps of one scenario.
pub const MAX_STEPS: usize = 10_000;

/// What a step sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// 0200, DE3 00.
    Purchase,
    /// 0100, DE3 00.
    Authorization,
    /// 0200, DE3 20.
    Refund,
    /// 0100, DE3 31.
    Balance,
    /// 0220 for the authorization `of`.
    Completion,
    /// 0400 for the transaction `of`.
    Reversal,
    /// 0420 for the transaction `of`.
    ReversalAdvice,
    /// The request `of` again, with a repeat MTI.
    Repeat,
    /// The request `of` again, with the same MTI.
    Duplicate,
    /// The request `of`, which was withheld.
    Release,
    /// 0800, DE70 301.
    Echo,
    /// 0800, DE70 001.
    SignOn,
    /// 0800, DE70 002.
    SignOff,
}

impl Operation {
    /// Its name in books and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Authorization => "authorization",
            Self::Refund => "refund",
            Self::Balance => "balance",
            Self::Completion => "completion",
            Self::Reversal | Self::ReversalAdvice => "reversal",
            Self::Repeat => "repeat",
            Self::Duplicate => "duplicate",
            Self::Release => "release",
            Self::Echo => "echo",
            Self::SignOn => "sign-on",
            Self::SignOff => "sign-off",
        }
    }

    fn needs_earlier(self) -> bool {
        use Operation::{Completion, Duplicate, Release, Repeat, Reversal, ReversalAdvice};
        matches!(self, Completion | Reversal | ReversalAdvice | Repeat | Duplicate | Release)
    }

    fn needs_card(self) -> bool {
        matches!(self, Self::Purchase | Self::Authorization | Self::Refund | Self::Balance)
    }
}

/// How the card was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Contact chip, DE22 051.
    #[default]
    Chip,
    /// Contactless chip, DE22 071.
    Contactless,
    /// Magnetic stripe, DE22 021 with DE35.
    Stripe,
    /// Electronic commerce, DE22 812 with DE60.
    Ecommerce,
}

/// Which PIN is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinUse {
    /// None.
    #[default]
    None,
    /// The card's.
    Right,
    /// Another one.
    Wrong,
}

/// What a terminal expects of a step, as it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Saw {
    /// A DE39 of the approved set.
    Approved,
    /// Any other DE39.
    Declined,
    /// The answer that the step `of` got: same DE38 and DE39.
    Same,
    /// No answer, and a reversal that was acknowledged.
    Reversed,
    /// No answer at all.
    Nothing,
}

/// See [`Step::expect`]. Everything given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// DE39, one of these.
    pub code: Vec<String>,
    /// What the terminal saw.
    pub saw: Option<Saw>,
    /// Minor units that stand for the terminal afterwards.
    pub stands: Option<i64>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What is sent.
    pub send: Operation,
    /// A name, for later steps.
    #[serde(default)]
    pub id: String,
    /// The earlier step that this one is about.
    #[serde(default)]
    pub of: String,
    /// The network of the card.
    #[serde(default = "dual")]
    pub network: String,
    /// Class of the card.
    #[serde(default = "ample")]
    pub card: Class,
    /// Which card of its class.
    #[serde(default)]
    pub nth: u32,
    /// How it is read.
    #[serde(default)]
    pub reading: Reading,
    /// Which PIN is entered.
    #[serde(default)]
    pub pin: PinUse,
    /// Minor units. Of a repeat or duplicate: a changed amount. 1000 where nothing is said.
    #[serde(default)]
    pub amount: Option<i64>,
    /// ISO 4217 numeric; the terminal's where nothing is said.
    #[serde(default)]
    pub currency: Option<u16>,
    /// Of a reversal: what shall finally stand (DE95).
    #[serde(default)]
    pub final_amount: Option<i64>,
    /// Of a repeat: whether DE7 is made anew, as many devices do.
    #[serde(default)]
    pub new_de7: bool,
    /// Whether the MAC is wrong.
    #[serde(default)]
    pub wrong_mac: bool,
    /// Whether the request is made but not sent: a later `release` sends it.
    #[serde(default)]
    pub withhold: bool,
    /// Whether answers to the request are dropped on arrival, as if the line had failed.
    #[serde(default)]
    pub lose_answer: bool,
    /// Milliseconds to wait before the step.
    #[serde(default)]
    pub wait_ms: u64,
    /// What is expected.
    #[serde(default)]
    pub expect: Option<Expect>,
}

fn dual() -> String {
    "dual".to_owned()
}

fn ample() -> Class {
    Class::Ample
}

impl Step {
    /// A step with nothing but defaults.
    pub fn of(send: Operation) -> Self {
        Self {
            send,
            id: String::new(),
            of: String::new(),
            network: dual(),
            card: ample(),
            nth: 0,
            reading: Reading::Chip,
            pin: PinUse::None,
            amount: None,
            currency: None,
            final_amount: None,
            new_de7: false,
            wrong_mac: false,
            withhold: false,
            lose_answer: false,
            wait_ms: 0,
            expect: None,
        }
    }
}

/// A scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name in summaries.
    pub name: String,
    /// Whether every terminal plays it, else the first one alone.
    #[serde(default)]
    pub every_terminal: bool,
    /// The steps, one after another.
    #[serde(default)]
    pub step: Vec<Step>,
}

impl Scenario {
    /// From a TOML file.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::BadFile { file: file.to_owned(), reason };
        let scenario: Self = toml::from_str(text).map_err(|fault| refuse(fault.to_string()))?;
        check(&scenario.step).map_err(|(step, reason)| refuse(format!("step {step}: {reason}")))?;
        Ok(scenario)
    }
}

/// Checks steps before the first is played; the error has the step's number, from 1.
pub fn check(steps: &[Step]) -> Result<(), (usize, String)> {
    if steps.len() > MAX_STEPS {
        return Err((MAX_STEPS + 1, format!("at most {MAX_STEPS} steps")));
    }
    let mut named = HashSet::new();
    for (at, step) in steps.iter().enumerate() {
        let refuse = |reason: String| Err((at + 1, reason));
        if step.send.needs_earlier() && !named.contains(step.of.as_str()) {
            return refuse(format!("{} needs `of` = the id of an earlier step", step.send.as_str()));
        }
        if !step.send.needs_earlier() && !step.of.is_empty() {
            return refuse(format!("{} has no `of`", step.send.as_str()));
        }
        if step.withhold && !step.send.needs_card() {
            return refuse("only card requests can be withheld".to_owned());
        }
        if step.amount.is_some_and(|minor| !(0..=payments::Amount::MAX_DE4).contains(&minor)) {
            return refuse("amount is 0 to 999999999999 minor units".to_owned());
        }
        if step.final_amount.is_some() && !matches!(step.send, Operation::Reversal | Operation::ReversalAdvice) {
            return refuse("only reversals have a final amount".to_owned());
        }
        if !step.id.is_empty() && !named.insert(step.id.as_str()) {
            return refuse(format!("there is already a step {:?}", step.id));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_from_toml() {
        let text = r#"
            name = "sale taken back"
            [[step]]
            id = "sale"
            send = "purchase"
            network = "single"
            pin = "right"
            amount = 1250
            expect = { code = ["00"], saw = "approved" }
            [[step]]
            send = "reversal"
            of = "sale"
        "#;
        let scenario = Scenario::from_toml("s.toml", text).unwrap();
        assert_eq!(scenario.step.len(), 2);
        assert_eq!(scenario.step[0].expect.as_ref().unwrap().saw, Some(Saw::Approved));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_step() {
        for (text, told) in [
            ("name='x'\n[[step]]\nsend='completion'\nof='auth'", "step 1: completion needs"),
            ("name='x'\n[[step]]\nsend='echo'\nof='auth'", "step 1: echo has no"),
            ("name='x'\n[[step]]\nsend='echo'\nid='a'\n[[step]]\nsend='echo'\nid='a'", "step 2: there is already"),
            ("name='x'\n[[step]]\nsend='purchase'\namount=-1", "step 1: amount"),
            ("name='x'\n[[step]]\nsend='purchase'\nfinal_amount=1", "step 1: only reversals"),
            ("name='x'\n[[step]]\nsend='purchases'", "line 3"),
        ] {
            let fault = Scenario::from_toml("s.toml", text).unwrap_err().to_string();
            assert!(fault.contains(told), "{fault}");
        }
    }
}
