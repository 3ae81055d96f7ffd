//! Misbehaviour on request: which messages an issuer answers late, not at all, twice or wrongly.

use payments::ResponseCode;
use serde::{Deserialize, Serialize};

use super::line::Kind;
use crate::Error;

/// Most rules of one issuer.
pub const MAX_RULES: usize = 256;

/// What is done instead of a plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Carries out and answers after `ms`.
    Late,
    /// Neither carries out nor answers: the request never arrived.
    Silent,
    /// Carries out and does not answer: the answer was lost.
    SilentApproved,
    /// Answers two times.
    Twice,
    /// Answers with bytes that do not decode, in a whole frame.
    Garbled,
    /// Answers with a wrong MAC.
    WrongMac,
    /// Answers with another STAN.
    WrongStan,
    /// Carries out and closes the connection instead of answering.
    DisconnectBefore,
    /// Answers and closes the connection.
    DisconnectAfter,
    /// Declines with `code`.
    Decline,
    /// Approves half of the amount (10).
    Partial,
}

impl Act {
    /// Every act.
    pub const ALL: [Act; 11] = [
        Act::Late,
        Act::Silent,
        Act::SilentApproved,
        Act::Twice,
        Act::Garbled,
        Act::WrongMac,
        Act::WrongStan,
        Act::DisconnectBefore,
        Act::DisconnectAfter,
        Act::Decline,
        Act::Partial,
    ];

    /// Its name in rules and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Silent => "silent",
            Self::SilentApproved => "silent-approved",
            Self::Twice => "twice",
            Self::Garbled => "garbled",
            Self::WrongMac => "wrong-mac",
            Self::WrongStan => "wrong-stan",
            Self::DisconnectBefore => "disconnect-before",
            Self::DisconnectAfter => "disconnect-after",
            Self::Decline => "decline",
            Self::Partial => "partial",
        }
    }
}

/// When to do what. Every condition that is given has to hold; the first rule that matches is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is done.
    #[serde(rename = "do")]
    pub act: Act,
    /// Milliseconds, for [`Act::Late`].
    #[serde(default)]
    pub ms: u64,
    /// DE39, for [`Act::Decline`]; 05 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ResponseCode>,
    /// MTIs exactly as received. Without it a rule is for 0100 and 0200 only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mti: Vec<String>,
    /// Kinds of request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<Kind>,
    /// Last digits of DE4.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub amount_ends: String,
    /// First digits of the PAN.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bin: String,
    /// Chance in thousandths, drawn from the issuer's seed.
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
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// MTI as received.
    pub mti: &'a str,
    /// Kind of request.
    pub kind: Kind,
    /// DE4, minor units.
    pub amount: i64,
    /// The PAN, where there is one.
    pub pan: &'a [u8],
}

/// The rules of one issuer and how often each was used.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<(Rule, u32, u32)>,
    rng: fastrand::Rng,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl Rules {
    /// Rules in the order in which they are tried.
    pub fn new(rules: Vec<Rule>, seed: u64) -> Result<Self, Error> {
        if rules.len() > MAX_RULES {
            return Err(Error::BadOption { option: "rules", reason: format!("at most {MAX_RULES} rules") });
        }
        rules.iter().try_for_each(Rule::check)?;
        Ok(Self { rules: rules.into_iter().map(|rule| (rule, 0, 0)).collect(), rng: fastrand::Rng::with_seed(seed) })
    }

    /// The first rule that matches.
    pub fn pick(&mut self, facts: Facts<'_>) -> Option<Rule> {
        for (rule, seen, used) in &mut self.rules {
            if !rule.matches(facts) || rule.times.is_some_and(|times| *used >= times) {
                continue;
            }
            *seen = seen.saturating_add(1);
            if *seen <= rule.skip || rule.per_mille.is_some_and(|chance| self.rng.u16(0..1000) >= chance) {
                continue;
            }
            *used = used.saturating_add(1);
            return Some(rule.clone());
        }
        None
    }
}

impl Rule {
    /// A rule without conditions.
    pub fn always(act: Act) -> Self {
        Self {
            act,
            ms: 0,
            code: None,
            mti: Vec::new(),
            kind: Vec::new(),
            amount_ends: String::new(),
            bin: String::new(),
            per_mille: None,
            skip: 0,
            times: None,
        }
    }

    /// From a flag: the act, then conditions, as in `late,ms=12000,amount_ends=68,mti=0100`.
    pub fn parse(flag: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::BadOption { option: "rule", reason };
        let mut parts = flag.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let act = Act::ALL
            .into_iter()
            .find(|act| act.as_str() == name)
            .ok_or_else(|| refuse(format!("{name:?} is none of {}", Act::ALL.map(Act::as_str).join(", "))))?;
        let mut rule = Self::always(act);
        for part in parts {
            let (key, value) =
                part.split_once('=').ok_or_else(|| refuse(format!("{part:?} is not of the form condition=value")))?;
            let number = || value.parse::<u32>().map_err(|_| refuse(format!("{key}: {value:?} is not a number")));
            match key {
                "ms" => rule.ms = u64::from(number()?),
                "code" => {
                    rule.code =
                        Some(ResponseCode::new(value.as_bytes()).map_err(|_| refuse("code has 2 characters".to_owned()))?);
                }
                "mti" => rule.mti.push(value.to_owned()),
                "kind" => rule.kind.push(
                    [Kind::Authorization, Kind::Purchase, Kind::Refund, Kind::Balance, Kind::Completion, Kind::Reversal]
                        .into_iter()
                        .find(|kind| kind.as_str() == value)
                        .ok_or_else(|| refuse(format!("kind: {value:?} is none")))?,
                ),
                "amount_ends" => rule.amount_ends = value.to_owned(),
                "bin" => rule.bin = value.to_owned(),
                "per_mille" => rule.per_mille = Some(u16::try_from(number()?).unwrap_or(u16::MAX)),
                "skip" => rule.skip = number()?,
                "times" => rule.times = Some(number()?),
                _ => {
                    let known = "ms, code, mti, kind, amount_ends, bin, per_mille, skip, times";
                    return Err(refuse(format!("{key:?} is none of {known}")));
                }
            }
        }
        rule.check()?;
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

    fn check(&self) -> Result<(), Error> {
        let refuse = |reason: &str| Err(Error::BadOption { option: "rule", reason: reason.to_owned() });
        let digits = |text: &str, most: usize| text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
        match self {
            _ if !digits(&self.amount_ends, 12) => refuse("amount_ends is at most 12 digits"),
            _ if !digits(&self.bin, 19) => refuse("bin is at most 19 digits"),
            _ if self.mti.iter().any(|mti| mti.len() != 4 || !digits(mti, 4)) => refuse("mti is 4 digits"),
            _ if self.per_mille.is_some_and(|chance| chance > 1000) => refuse("per_mille is 0 to 1000"),
            _ if self.act == Act::Late && !(1..=600_000).contains(&self.ms) => refuse("late needs ms, 1 to 600000"),
            _ => Ok(()),
        }
    }

    fn matches(&self, facts: Facts<'_>) -> bool {
        let mti = match self.mti.as_slice() {
            [] => matches!(facts.mti, "0100" | "0200"),
            some => some.iter().any(|mti| mti == facts.mti),
        };
        mti && (self.kind.is_empty() || self.kind.contains(&facts.kind))
            && format!("{:012}", facts.amount).ends_with(&self.amount_ends)
            && facts.pan.starts_with(self.bin.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(mti: &str, amount: i64) -> Facts<'_> {
        Facts { mti, kind: Kind::Purchase, amount, pan: b"5413330000000000" }
    }

    #[test]
    fn a_flag_and_a_file_say_the_same() {
        let flag = Rule::parse("late,ms=12000,amount_ends=68,mti=0100,mti=0101,times=3,per_mille=500").unwrap();
        let text =
            "[[rule]]\ndo = \"late\"\nms = 12000\namount_ends = \"68\"\nmti = [\"0100\", \"0101\"]\ntimes = 3\nper_mille = 500\n";
        assert_eq!(Rule::from_toml("rules.toml", text).unwrap(), [flag]);
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        for (flag, told) in [
            ("slow", "is none of late"),
            ("late", "late needs ms"),
            ("silent,amount=3", "is none of ms"),
            ("silent,amount_ends=x", "amount_ends is at most"),
            ("silent,per_mille=1001", "0 to 1000"),
            ("silent,times", "condition=value"),
        ] {
            let fault = Rule::parse(flag).unwrap_err().to_string();
            assert!(fault.contains(told), "{flag}: {fault}");
        }
        let fault = Rule::from_toml("r.toml", "[[rule]]\ndo = \"late\"\nmss = 3\n").unwrap_err().to_string();
        assert!(fault.starts_with("r.toml: ") && fault.contains("line 3"), "{fault}");
    }

    #[test]
    fn conditions_all_have_to_hold_and_the_first_match_is_used() {
        let rules = ["silent,amount_ends=68,times=1", "twice,amount_ends=68,skip=1", "decline,code=05,bin=541333,mti=0420"];
        let mut rules = Rules::new(rules.into_iter().map(|flag| Rule::parse(flag).unwrap()).collect(), 1).unwrap();
        let mut act = |facts| rules.pick(facts).map(|rule| rule.act);
        assert_eq!(act(facts("0200", 1067)), None);
        assert_eq!(act(facts("0201", 1068)), None);
        assert_eq!(act(facts("0200", 1068)), Some(Act::Silent));
        assert_eq!(act(facts("0200", 1068)), None);
        assert_eq!(act(facts("0200", 1068)), Some(Act::Twice));
        assert_eq!(act(facts("0420", 1)), Some(Act::Decline));
    }

    #[test]
    fn chances_come_from_the_seed() {
        let drawn = |seed| {
            let mut rules = Rules::new(vec![Rule::parse("silent,per_mille=300").unwrap()], seed).unwrap();
            (0..1000).map(|_| rules.pick(facts("0100", 1)).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let hits = drawn(7).into_iter().filter(|hit| *hit).count();
        assert!((200..400).contains(&hits), "{hits}");
    }
}
