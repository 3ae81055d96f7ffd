//! Random conversations that cover every kind of payment on both networks. One is made from the seed
//! and its number alone, so that it does not depend on which terminal plays it when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scenario::{Expect, Operation, PinUse, Reading, Saw, Step};
use crate::cards::Class;

/// What a conversation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// A sale.
    Purchase,
    /// A sale, then its reversal.
    PurchaseReversed,
    /// An authorization, then its completion.
    Completed,
    /// An authorization that stays open.
    Authorized,
    /// An authorization, then its reversal advice.
    AuthorizationReversed,
    /// An authorization, then a partial reversal.
    AuthorizationReduced,
    /// A refund.
    Refund,
    /// A balance enquiry.
    Balance,
    /// A card that does not exist: 14.
    UnknownCard,
    /// An empty account: 51.
    NoFunds,
    /// An expired card: 54.
    Expired,
    /// A wrong PIN: 55.
    WrongPin,
    /// A sale, then its repeat with a new DE7: the same answer.
    Repeat,
    /// A sale, then the same with another amount: 94.
    Conflict,
    /// A reversal before its sale: the late sale is refused.
    ReversalFirst,
    /// A wrong MAC: no effect at all.
    WrongMac,
    /// An echo.
    Echo,
}

/// Every topic with its default weight.
pub const MIX: [(Topic, u32); 17] = [
    (Topic::Purchase, 45),
    (Topic::PurchaseReversed, 6),
    (Topic::Completed, 8),
    (Topic::Authorized, 2),
    (Topic::AuthorizationReversed, 3),
    (Topic::AuthorizationReduced, 2),
    (Topic::Refund, 6),
    (Topic::Balance, 6),
    (Topic::UnknownCard, 2),
    (Topic::NoFunds, 3),
    (Topic::Expired, 2),
    (Topic::WrongPin, 3),
    (Topic::Repeat, 4),
    (Topic::Conflict, 2),
    (Topic::ReversalFirst, 2),
    (Topic::WrongMac, 2),
    (Topic::Echo, 2),
];

/// The generator.
#[derive(Debug, Clone)]
pub struct Generator {
    seed: u64,
    weights: Vec<(Topic, u32)>,
    networks: Vec<String>,
    mischief_per_mille: u16,
    mischief_ends: Vec<String>,
}

impl Generator {
    /// A generator for cards of these networks.
    pub fn new(
        seed: u64,
        mix: &BTreeMap<Topic, u32>,
        networks: Vec<String>,
        mischief_per_mille: u16,
        mischief_ends: Vec<String>,
    ) -> Self {
        let weights = MIX.map(|(topic, weight)| (topic, mix.get(&topic).copied().unwrap_or(weight))).to_vec();
        Self { seed, weights, networks, mischief_per_mille, mischief_ends }
    }

    /// The conversation of a number.
    pub fn conversation(&self, number: u64) -> (Topic, Vec<Step>) {
        let mut rng = fastrand::Rng::with_seed(self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // Nearby seeds draw alike at first.
        for _ in 0..4 {
            rng.u64(..);
        }
        let topic = self.topic(&mut rng);
        (topic, self.steps(topic, &mut rng))
    }

    fn topic(&self, rng: &mut fastrand::Rng) -> Topic {
        let all: u32 = self.weights.iter().map(|(_, weight)| *weight).sum();
        let mut drawn = rng.u32(0..all.max(1));
        for (topic, weight) in &self.weights {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return *topic,
            }
        }
        Topic::Purchase
    }

    fn steps(&self, topic: Topic, rng: &mut fastrand::Rng) -> Vec<Step> {
        let first = |send: Operation, rng: &mut fastrand::Rng| {
            let mut step = Step { id: "first".to_owned(), nth: rng.u32(..), ..Step::of(send) };
            step.network = rng.choice(&self.networks).cloned().unwrap_or(step.network);
            step.amount = Some(rng.i64(1..100) * 100 + rng.i64(0..90));
            step.reading = rng
                .choice([Reading::Chip, Reading::Chip, Reading::Contactless, Reading::Stripe, Reading::Ecommerce])
                .unwrap_or_default();
            step.pin = match step.reading {
                Reading::Chip | Reading::Stripe => PinUse::Right,
                Reading::Contactless | Reading::Ecommerce => PinUse::None,
            };
            step.expect = saw(Saw::Approved);
            step
        };
        let then = |send: Operation, saw: Option<Expect>| Step { of: "first".to_owned(), expect: saw, ..Step::of(send) };
        let declined = |class: Class, code: &str, rng: &mut fastrand::Rng| {
            let expect = Some(Expect { code: vec![code.to_owned()], ..Expect::default() });
            let step = first(Operation::Purchase, rng);
            vec![Step { card: class, reading: Reading::Contactless, pin: PinUse::None, expect, ..step }]
        };
        let reversal = if rng.bool() { Operation::Reversal } else { Operation::ReversalAdvice };
        let mut steps = match topic {
            Topic::Purchase => vec![first(Operation::Purchase, rng)],
            Topic::PurchaseReversed => vec![first(Operation::Purchase, rng), then(reversal, saw(Saw::Approved))],
            Topic::Authorized => vec![first(Operation::Authorization, rng)],
            Topic::Completed => {
                let opened = first(Operation::Authorization, rng);
                let amount = opened.amount.map(|minor| rng.i64(minor / 2..=minor).max(1));
                vec![opened, Step { amount, ..then(Operation::Completion, saw(Saw::Approved)) }]
            }
            Topic::AuthorizationReversed => vec![first(Operation::Authorization, rng), then(reversal, saw(Saw::Approved))],
            Topic::AuthorizationReduced => {
                let opened = first(Operation::Authorization, rng);
                let final_amount = opened.amount.map(|minor| minor / 2);
                vec![opened, Step { final_amount, ..then(reversal, saw(Saw::Approved)) }]
            }
            Topic::Refund => vec![first(Operation::Refund, rng)],
            Topic::Balance => vec![Step { amount: Some(0), ..first(Operation::Balance, rng) }],
            Topic::UnknownCard => declined(Class::Unknown, "14", rng),
            Topic::NoFunds => declined(Class::Empty, "51", rng),
            Topic::Expired => declined(Class::Expired, "54", rng),
            Topic::WrongPin => {
                let expect = Some(Expect { code: vec!["55".to_owned()], ..Expect::default() });
                vec![Step { reading: Reading::Chip, pin: PinUse::Wrong, expect, ..first(Operation::Purchase, rng) }]
            }
            Topic::Repeat => {
                let new_de7 = rng.bool();
                vec![first(Operation::Purchase, rng), Step { new_de7, ..then(Operation::Repeat, saw(Saw::Same)) }]
            }
            Topic::Conflict => {
                let sale = first(Operation::Purchase, rng);
                let amount = sale.amount.map(|minor| minor + 100);
                let expect = Some(Expect { code: vec!["94".to_owned()], ..Expect::default() });
                vec![sale, Step { amount, ..then(Operation::Duplicate, expect) }]
            }
            Topic::ReversalFirst => {
                let sale = Step { withhold: true, expect: None, ..first(Operation::Purchase, rng) };
                vec![sale, then(Operation::Reversal, None), then(Operation::Release, saw(Saw::Declined))]
            }
            Topic::WrongMac => {
                let expect = Some(Expect { code: vec!["63".to_owned()], ..Expect::default() });
                vec![Step { wrong_mac: true, expect, ..first(Operation::Purchase, rng) }]
            }
            Topic::Echo => vec![Step { id: String::new(), ..Step::of(Operation::Echo) }],
        };
        self.mischief(topic, &mut steps, rng);
        steps
    }

    /// Lets some amounts end so that a rule of the issuer fires; then nothing is expected.
    fn mischief(&self, topic: Topic, steps: &mut [Step], rng: &mut fastrand::Rng) {
        let spared = matches!(topic, Topic::Echo | Topic::Balance | Topic::WrongMac | Topic::ReversalFirst);
        if spared || rng.u16(0..1000) >= self.mischief_per_mille {
            return;
        }
        let Some(end) = rng.choice(&self.mischief_ends) else { return };
        let (Some(first), Ok(minor)) = (steps.first_mut(), end.parse::<i64>()) else { return };
        let places = 10i64.checked_pow(u32::try_from(end.len()).unwrap_or(12)).unwrap_or(1);
        first.amount = first.amount.map(|amount| (amount / places).max(1) * places + minor);
        let whole = first.amount;
        for step in steps {
            step.expect = None;
            if step.send == Operation::Completion {
                step.amount = whole;
            }
        }
    }
}

fn saw(what: Saw) -> Option<Expect> {
    Some(Expect { saw: Some(what), ..Expect::default() })
}

#[cfg(test)]
mod tests {
    use super::super::scenario::check;
    use super::*;

    fn generator(mischief: u16) -> Generator {
        let networks = vec!["dual".to_owned(), "single".to_owned()];
        Generator::new(7, &BTreeMap::new(), networks, mischief, vec!["97".to_owned()])
    }

    #[test]
    fn every_topic_comes_on_every_network_and_every_conversation_can_be_played() {
        let mut seen = BTreeMap::<(Topic, String), u32>::new();
        for number in 0..4000 {
            let (topic, steps) = generator(0).conversation(number);
            assert_eq!(check(&steps), Ok(()));
            *seen.entry((topic, steps[0].network.clone())).or_default() += 1;
            assert!(steps[0].amount.is_none_or(|minor| minor % 100 < 90));
        }
        // An echo has no network.
        assert_eq!(seen.len(), 2 * MIX.len() - 1, "{seen:?}");
    }

    #[test]
    fn a_conversation_depends_on_seed_and_number_alone() {
        let forwards: Vec<_> = (0..50).map(|number| generator(0).conversation(number)).collect();
        let mut backwards: Vec<_> = (0..50).rev().map(|number| generator(0).conversation(number)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
    }

    #[test]
    fn mischief_is_drawn_and_nothing_is_expected_of_it() {
        let ending = (0..2000)
            .map(|number| generator(200).conversation(number).1)
            .filter(|steps| steps[0].amount.is_some_and(|minor| minor % 100 == 97))
            .inspect(|steps| assert!(steps.iter().all(|step| step.expect.is_none())))
            .count();
        assert!((200..500).contains(&ending), "{ending}");
    }
}
