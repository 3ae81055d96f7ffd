//! The bare answer to a message: what it said, echoed, and a response code.

use iso8583::{Message, response_mti};
use payments::{ResponseCode, Stan};

use super::de;

/// What is needed to answer a message with nothing but a code: MTI of the answer and the echoed
/// fields. For refusals that never reach the engine (format error, wrong MAC, overload).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo(Message);

impl Echo {
    /// Of a message as far as it could be read; `None` where it cannot be answered, because it has
    /// no MTI of a request or no DE11.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        Stan::parse(message.get(de::STAN)?).ok()?;
        let mut answer = Message::new(&response_mti(message.mti())?);
        for number in de::ECHOED {
            answer.set_some(number, message.get(number));
        }
        Some(Self(answer))
    }

    /// MTI of the answer.
    pub fn mti(&self) -> &str {
        self.0.mti()
    }

    /// The answer.
    pub fn answer(&self, code: ResponseCode) -> Message {
        let mut answer = self.0.clone();
        answer.set(de::RESPONSE_CODE, code.as_str());
        answer
    }
}
