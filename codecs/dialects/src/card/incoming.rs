//! Answers from a network. A cosmetic fault is noted: it must not turn an approval into a reversal.

use bytes::Bytes;
use iso8583::{Message, Note, tlv};
use payments::outgoing::{CardAnswer, Incoming, NetworkAnswer};
use payments::{Answer, ApprovalCode, NetworkTransactionId, ProcessingCode, ResponseCode, Stan, TerminalId, Text};

use super::{Dialect, Error, ReceivedMac, de, read, received_mac, request};

/// An answer as received. Not trusted before its MAC is verified, where the link wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromNetwork {
    /// The answer.
    pub incoming: Incoming,
    /// Its MAC, if it came with one as its last field.
    pub mac: Option<ReceivedMac>,
    /// Faults of content that decide nothing.
    pub notes: Vec<Note>,
}

/// A message from a network that is not an answer we can read: recorded, counted and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Unreadable {
    /// Why.
    pub error: Error,
    /// MTI, where there was one.
    pub mti: Text<4>,
    /// DE11, where it could be read; not to be trusted, for the record only.
    pub stan: Option<Stan>,
}

impl Dialect {
    /// Reads an answer of a network, or its own 0800.
    ///
    /// # Errors
    /// [`Unreadable`]: a structural fault, a fault in a field that decides (DE4, 11, 39, 49), an MTI that is no answer.
    pub fn read_answer(&self, frame: Bytes) -> Result<FromNetwork, Unreadable> {
        let unreadable = |message: &Message, error| Unreadable {
            error: self.named(error),
            mti: Text::new(message.mti()).unwrap_or_default(),
            stan: read::stan(message).ok(),
        };
        let wire = self.lenient.decode(frame).map_err(|error| unreadable(&error.partial, Error::from(&error)))?;
        let (message, _) = self.own(&wire).map_err(|error| unreadable(&wire, error))?;
        let incoming = match message.mti() {
            "0110" | "0210" | "0230" | "0410" | "0430" => card(&message).map(|answer| Incoming::Card(Box::new(answer))),
            "0810" => network(&message).map(Incoming::Network),
            "0800" | "0801" => request::network(&message).map(Incoming::Manage),
            _ => Err(Error::UnsupportedMessage),
        };
        let incoming = incoming.map_err(|error| unreadable(&message, error))?;
        Ok(FromNetwork { incoming, mac: received_mac(&wire), notes: wire.notes().to_vec() })
    }
}

fn network(message: &Message) -> Result<NetworkAnswer, Error> {
    Ok(NetworkAnswer {
        stan: read::stan(message)?,
        code: read::value(message, de::RESPONSE_CODE, ResponseCode::new)?,
        function: read::optional(message, de::NETWORK_FUNCTION).and_then(|code| read::network_function(code).ok()),
    })
}

fn card(message: &Message) -> Result<CardAnswer, Error> {
    // Echoes are compared by the engine with the link's tolerance; an odd one is no echo.
    let echo = |number| read::optional(message, number);
    Ok(CardAnswer {
        mti: Text::new(message.mti()).map_err(|_| Error::UnsupportedMessage)?,
        stan: read::stan(message)?,
        transmission: read::transmission(message).unwrap_or_default(),
        rrn: read::rrn(message).unwrap_or_default(),
        terminal: echo(de::TERMINAL).and_then(|id| TerminalId::from_bytes(id).ok()),
        processing_code: echo(de::PROCESSING_CODE).and_then(|code| ProcessingCode::new(code).ok()),
        answer: answer(message)?,
    })
}

fn answer(message: &Message) -> Result<Answer, Error> {
    let code = read::value(message, de::RESPONSE_CODE, ResponseCode::new)?;
    let amount = match (message.has(de::AMOUNT), message.has(de::CURRENCY)) {
        (true, true) => Some(read::amount(message)?),
        _ => None,
    };
    let results = message.get(de::RESPONSE_DATA).unwrap_or_default();
    let result = |at: usize| results.get(at..at + 1).and_then(|byte| Text::from_bytes(byte).ok()).unwrap_or_default();
    // Broken issuer data would only confuse the card.
    let icc = message.get(de::ICC).filter(|icc| tlv::check(icc).is_ok()).unwrap_or_default();
    Ok(Answer {
        approval: read::optional(message, de::APPROVAL).and_then(|code| ApprovalCode::from_bytes(code).ok()),
        amount,
        icc: icc.to_vec(),
        balances: text(message, de::BALANCES),
        settlement_date: text(message, de::SETTLEMENT_DATE),
        network_id: read::optional(message, de::NETWORK_ID).and_then(|id| NetworkTransactionId::from_bytes(id).ok()),
        avs_result: result(0),
        cvv_result: result(1),
        authentication_result: result(2),
        ..Answer::code(code)
    })
}

/// Text as it is, or nothing where it has a fault.
fn text<const N: usize>(message: &Message, number: u8) -> Text<N> {
    message.get(number).and_then(|content| Text::from_bytes(content).ok()).unwrap_or_default()
}
