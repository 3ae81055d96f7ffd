//! Misbehaviour on request: which transfers and enquiries a bank answers late, not at all, twice or
//! wrongly.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most rules of one bank.
pub const MAX_RULES: usize = 256;

/// What is done instead of a plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Books and answers after `ms`.
    Late,
    /// Books and does not answer; a pacs.028 is answered, the first `pending` of them with PDNG.
    Silent,
    /// Neither books nor answers: the message never arrived.
    Lost,
    /// Rejects with `reason`.
    Reject,
    /// Answers two times.
    Twice,
    /// Answers with bytes that are no envelope, in a whole frame.
    Garbled,
    /// Answers about another transfer.
    WrongIds,
    /// Answers with PDNG, and with the final status when asked, after `pending` more PDNG.
    Pending,
    /// Books and closes the connection instead of answering.
    DisconnectBefore,
    /// Answers and closes the connection.
    DisconnectAfter,
}

impl Act {
    /// Its name in rules and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Reject => "reject",
            Self::Twice => "twice",
            Self::Garbled => "garbled",
            Self::WrongIds => "wrong-ids",
            Self::Pending => "pending",
            Self::DisconnectBefore => "disconnect-before",
            Self::DisconnectAfter => "disconnect-after",
        }
    }
}

/// The message that a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum On {
    /// pacs.008.
    #[default]
    #[serde(rename = "pacs.008")]
    Transfer,
    /// pacs.028; amounts and accounts are those of the transfer asked about.
    #[serde(rename = "pacs.028")]
    Enquiry,
}

/// When to do what. Every condition that is given has to hold; the first rule that matches is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is done.
    #[serde(rename = "do")]
    pub act: Act,
    /// For which message.
    #[serde(default)]
    pub on: On,
    /// Milliseconds, for [`Act::Late`].
    #[serde(default)]
    pub ms: u64,
    /// Reason code, for [`Act::Reject`]; AC04 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Enquiries that are answered with PDNG, for [`Act::Silent`] and [`Act::Pending`].
    #[serde(default)]
    pub pending: u32,
    /// Last digits of the amount in minor units.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub amount_ends: String,
    /// Last characters of the creditor's account.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub creditor_ends: String,
    /// Chance in thousandths, drawn from the bank's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_mille: Option<u16>,
    /// How many matches are let through before the rule begins.
    #[serde(default)]
    pub skip: u32,
    /// How often it is used at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The message.
    pub on: On,
    /// Amount in minor units.
    pub amount_minor: i64,
    /// The creditor's account.
    pub creditor: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl Rule {
    /// From `act,condition=value,…`, the form of a command-line flag.
    pub fn parse(flag: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::BadOption { option: "rule", reason: format!("{flag:?}: {reason}") };
        let (act, conditions) = flag.split_once(',').unwrap_or((flag, ""));
        let mut table = toml::Table::new();
        table.insert("do".to_owned(), act.into());
        for condition in conditions.split(',').filter(|it| !it.is_empty()) {
            let (key, value) = condition.split_once('=').ok_or_else(|| refuse(format!("{condition:?} is no condition=value")))?;
            let value = match key {
                "ms" | "pending" | "per_mille" | "skip" | "times" => {
                    value.parse::<i64>().map_err(|_| refuse(format!("{key} is a number")))?.into()
                }
                _ => value.into(),
            };
            table.insert(key.to_owned(), value);
        }
        let rule: Self = table.try_into().map_err(|fault: toml::de::Error| refuse(fault.message().to_owned()))?;
        rule.check().map_err(refuse)?;
        Ok(rule)
    }

    /// From a TOML file with one `[[rule]]` each.
    pub fn from_toml(file: &str, text: &str) -> Result<Vec<Self>, Error> {
        let refuse = |reason: String| Error::BadFile { file: file.to_owned(), reason };
        let read: File = toml::from_str(text).map_err(|fault| refuse(fault.to_string()))?;
        for (number, rule) in read.rule.iter().enumerate() {
            rule.check().map_err(|fault| refuse(format!("rule {}: {fault}", number + 1)))?;
        }
        Ok(read.rule)
    }

    /// The reason of a rejection.
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or("AC04")
    }

    fn check(&self) -> Result<(), String> {
        let refuse = |reason: &str| Err(reason.to_owned());
        let reason_fits = |reason: &String| (1..=4).contains(&reason.len()) && reason.bytes().all(|b| b.is_ascii_alphanumeric());
        match self {
            _ if self.amount_ends.len() > 18 || !self.amount_ends.bytes().all(|b| b.is_ascii_digit()) => {
                refuse("amount_ends is at most 18 digits")
            }
            _ if self.creditor_ends.len() > 34 => refuse("creditor_ends is at most 34 characters"),
            _ if self.per_mille.is_some_and(|chance| chance > 1000) => refuse("per_mille is 0 to 1000"),
            _ if self.act == Act::Late && !(1..=600_000).contains(&self.ms) => refuse("late needs ms, 1 to 600000"),
            _ if !self.reason.as_ref().is_none_or(reason_fits) => refuse("reason is a code of 1 to 4 letters and digits"),
            _ if self.on == On::Enquiry && matches!(self.act, Act::Reject | Act::Pending) => {
                refuse("an enquiry cannot be rejected or pending, only the transfer it asks about")
            }
            _ => Ok(()),
        }
    }

    fn matches(&self, facts: Facts<'_>) -> bool {
        self.on == facts.on
            && format!("{:018}", facts.amount_minor).ends_with(&self.amount_ends)
            && facts.creditor.ends_with(&self.creditor_ends)
    }
}

/// The rules of one bank and how often each was met and used.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<(Rule, u32, u32)>,
    rng: fastrand::Rng,
}

impl Rules {
    /// Rules in the order in which they are tried.
    pub fn new(rules: Vec<Rule>, seed: u64) -> Result<Self, Error> {
        if rules.len() > MAX_RULES {
            return Err(Error::BadOption { option: "rules", reason: format!("at most {MAX_RULES}") });
        }
        for rule in &rules {
            rule.check().map_err(|reason| Error::BadOption { option: "rule", reason })?;
        }
        let rules = rules.into_iter().map(|rule| (rule, 0, 0)).collect();
        Ok(Self { rules, rng: fastrand::Rng::with_seed(seed) })
    }

    /// The rule to use, if any.
    pub fn pick(&mut self, facts: Facts<'_>) -> Option<Rule> {
        for (rule, met, used) in &mut self.rules {
            let chance = rule.per_mille.is_none_or(|chance| self.rng.u16(0..1000) < chance);
            if !rule.matches(facts) || !chance || rule.times.is_some_and(|times| *used >= times) {
                continue;
            }
            *met = met.saturating_add(1);
            if *met > rule.skip {
                *used = used.saturating_add(1);
                return Some(rule.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_and_a_file_say_the_same() {
        let flag = Rule::parse("silent,pending=2,amount_ends=68,creditor_ends=042,times=3,per_mille=500").unwrap();
        let text =
            "[[rule]]\ndo = \"silent\"\npending = 2\namount_ends = \"68\"\ncreditor_ends = \"042\"\ntimes = 3\nper_mille = 500\n";
        assert_eq!(Rule::from_toml("rules.toml", text).unwrap(), [flag]);
        assert_eq!(Rule::parse("lost,on=pacs.028").unwrap().on, On::Enquiry);
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        for (flag, told) in [
            ("slow", "unknown variant"),
            ("late", "late needs ms"),
            ("late,ms=x", "ms is a number"),
            ("silent,amount=3", "unknown field"),
            ("silent,amount_ends=x", "amount_ends is at most"),
            ("silent,times", "condition=value"),
            ("reject,reason=TOOLONG", "reason is a code"),
            ("pending,on=pacs.028", "cannot be rejected or pending"),
        ] {
            let fault = Rule::parse(flag).unwrap_err().to_string();
            assert!(fault.contains(told), "{flag}: {fault}");
        }
        let fault = Rule::from_toml("r.toml", "[[rule]]\ndo = \"late\"\nmss = 3\n").unwrap_err().to_string();
        assert!(fault.starts_with("r.toml: ") && fault.contains("line 3"), "{fault}");
    }

    #[test]
    fn conditions_all_have_to_hold_and_the_first_match_is_used() {
        let flags = ["silent,amount_ends=68,times=1", "twice,creditor_ends=42,skip=1", "late,ms=1,on=pacs.028"];
        let mut rules = Rules::new(flags.into_iter().map(|flag| Rule::parse(flag).unwrap()).collect(), 1).unwrap();
        let mut act = |on, amount_minor, creditor| rules.pick(Facts { on, amount_minor, creditor }).map(|rule| rule.act);
        assert_eq!(act(On::Transfer, 67, "x"), None);
        assert_eq!(act(On::Transfer, 1068, "x42"), Some(Act::Silent));
        assert_eq!(act(On::Transfer, 1068, "x42"), None, "one match is let through");
        assert_eq!(act(On::Transfer, 1068, "x42"), Some(Act::Twice));
        assert_eq!(act(On::Enquiry, 1068, "x42"), Some(Act::Late));
    }
}
