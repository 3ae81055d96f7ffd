//! Requests from terminals and other acquirers.

use bytes::Bytes;
use iso8583::{Message, Note};
use payments::request::{CardKind, CardRequest, Completion, Head, NetworkRequest, OriginalKey, Passthrough, PinEntry, Reversal};
use payments::{
    Amount, ApprovalCode, CardRef, CardSequence, Evidence, Expiry, LocalDateTime, MerchantId, Pan, PinBlock, ProcessingCode,
    Stan, TerminalId, Text, Track2,
};

use super::{Binding, CardSecrets, Dialect, Echo, Error, ReceivedMac, de, icc, read, received_mac};

/// A request as received. Nothing of it may have an effect before its MAC is verified, where the
/// link wants one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// What it asks.
    pub body: Body,
    /// Its MAC, if it came with one as its last field.
    pub mac: Option<ReceivedMac>,
    /// For a refusal before the engine sees it.
    pub echo: Echo,
    /// What was not taken over.
    pub dropped: Dropped,
    /// Faults of content that the spec lets pass.
    pub notes: Vec<Note>,
}

/// What a request asks, in the vocabulary of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// 0800.
    Network(NetworkRequest),
    /// 0100, 0200.
    Card(Box<CardReceived>),
    /// 0220.
    Completion(Box<CompletionReceived>),
    /// 0400, 0420.
    Reversal(Box<Reversal>),
}

/// A card request before the vault has made its [`CardRef`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardReceived {
    /// The common head.
    pub head: Head,
    /// What it wants.
    pub kind: CardKind,
    /// DE3.
    pub processing_code: ProcessingCode,
    /// DE4 with DE49.
    pub amount: Amount,
    /// Whether and how a PIN came.
    pub pin: Option<PinEntry>,
    /// Facts for clearing and disputes.
    pub evidence: Evidence,
    /// Elements that travel on unread.
    pub passthrough: Passthrough,
    /// What the shell keeps.
    pub secrets: CardSecrets,
}

impl CardReceived {
    /// The canonical request, and the secrets that stay with the shell.
    pub fn with_card(self, card: CardRef) -> (CardRequest, CardSecrets) {
        let Self { head, kind, processing_code, amount, pin, evidence, passthrough, secrets } = self;
        let well_formed = secrets.pan.well_formed();
        (CardRequest { head, kind, processing_code, amount, card, well_formed, pin, evidence, passthrough }, secrets)
    }
}

/// A completion before the vault has made its [`CardRef`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionReceived {
    /// Everything but its card.
    pub completion: Completion,
    /// The card, where DE2 or DE35 came. Tracks and PIN blocks have no use in an advice.
    pub secrets: Option<CardSecrets>,
}

/// What of a request was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Elements outside the dialect's lists.
    pub elements: Vec<u8>,
    /// Data objects of DE55 that hold card data.
    pub tags: usize,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub error: Error,
    /// How to say so; `None` where no answer can be addressed and the connection must be closed.
    pub echo: Option<Echo>,
    /// Its MAC where the whole message could be read, so that a forger learns nothing from the
    /// difference between 30 and 63.
    pub mac: Option<ReceivedMac>,
}

impl Reject {
    /// The answer: DE39 by [`Error::response_code`].
    pub fn answer(&self) -> Option<Message> {
        self.echo.as_ref().map(|echo| echo.answer(self.error.response_code()))
    }
}

impl Dialect {
    /// Reads a request from a terminal.
    ///
    /// # Errors
    /// A [`Reject`] that says how it can be answered.
    pub fn read_request(&self, frame: Bytes, binding: &Binding) -> Result<Inbound, Box<Reject>> {
        let wire = self.strict.decode(frame).map_err(|error| Reject {
            error: Error::from(&error),
            echo: self.echo(&error.partial),
            mac: None,
        })?;
        let reject = |error| Reject { error: self.named(error), echo: self.echo(&wire), mac: received_mac(&wire) };
        let (message, original_local) = self.own(&wire).map_err(reject)?;
        let (body, tags) = body(&message, original_local, binding).map_err(reject)?;
        let echo = Echo::of(&message).ok_or_else(|| reject(Error::Missing(de::STAN)))?;
        let elements = wire.fields().map(|(number, _)| number).filter(|number| !self.knows(*number)).collect();
        let dropped = Dropped { elements, tags };
        Ok(Inbound { body, mac: received_mac(&wire), echo, dropped, notes: wire.notes().to_vec() })
    }
}

/// What the message asks, and how many data objects of DE55 were left out.
fn body(message: &Message, original_local: Option<LocalDateTime>, binding: &Binding) -> Result<(Body, usize), Error> {
    match message.mti() {
        "0800" | "0801" => network(message).map(|request| (Body::Network(request), 0)),
        "0100" | "0101" | "0200" | "0201" => card(message, binding).map(|(request, tags)| (Body::Card(Box::new(request)), tags)),
        "0220" | "0221" => completion(message, binding).map(|request| (Body::Completion(Box::new(request)), 0)),
        "0400" | "0401" | "0420" | "0421" => {
            reversal(message, original_local, binding).map(|request| (Body::Reversal(Box::new(request)), 0))
        }
        _ => Err(Error::UnsupportedMessage),
    }
}

pub(super) fn network(message: &Message) -> Result<NetworkRequest, Error> {
    Ok(NetworkRequest {
        stan: read::stan(message)?,
        transmission: read::transmission(message)?,
        function: read::value(message, de::NETWORK_FUNCTION, read::network_function)?,
    })
}

fn head(message: &Message, binding: &Binding) -> Result<Head, Error> {
    Ok(Head {
        acquirer: binding.acquirer,
        mti: Text::new(message.mti()).map_err(|_| Error::UnsupportedMessage)?,
        stan: read::stan(message)?,
        local: read::local(message)?,
        transmission: read::transmission(message)?,
        institution: read::institution(message, de::ACQUIRING_INSTITUTION)?.unwrap_or(binding.institution),
        forwarding: read::institution(message, de::FORWARDING_INSTITUTION)?,
        rrn: read::rrn(message)?,
        terminal: read::value(message, de::TERMINAL, TerminalId::from_bytes)?,
        merchant: read::value(message, de::MERCHANT, MerchantId::from_bytes)?,
    })
}

fn processing_code(message: &Message) -> Result<ProcessingCode, Error> {
    read::value(message, de::PROCESSING_CODE, ProcessingCode::new)
}

fn card(message: &Message, binding: &Binding) -> Result<(CardReceived, usize), Error> {
    let head = head(message, binding)?;
    let processing_code = processing_code(message)?;
    let kind = match (message.mti().get(..2), processing_code.transaction_type()) {
        (Some("02"), "00") => CardKind::Purchase,
        (Some("02"), "20") => CardKind::Refund,
        (Some("01"), "00") => CardKind::Authorization,
        (Some("01"), "31") => CardKind::Balance,
        _ => return Err(Error::UnsupportedTransaction),
    };
    let amount = read::amount(message)?;
    read::required(message, de::ENTRY_MODE)?;
    read::required(message, de::CONDITION)?;
    let secrets = secrets(message)?;
    let raw_icc = message.get(de::ICC).unwrap_or_default();
    let (icc, tags) = icc::without_card_data(raw_icc);
    let evidence = evidence(message, secrets.sequence);
    let mut passthrough = Passthrough::default();
    for number in de::FORWARDED {
        match message.get(number) {
            Some(_) if number == de::ICC && icc.is_empty() => {}
            Some(_) if number == de::ICC => passthrough.0.push((number, icc.clone())),
            Some(content) => passthrough.0.push((number, content.to_vec())),
            None => {}
        }
    }
    let pin = secrets.pin_block.as_ref().map(|_| PinEntry::Static);
    Ok((CardReceived { head, kind, processing_code, amount, pin, evidence, passthrough, secrets }, tags))
}

/// What presentment and disputes need (SEMANTICS 23).
fn evidence(message: &Message, card_sequence: Option<CardSequence>) -> Evidence {
    let ecommerce: Text<60> = read::evidence(message, de::ECOMMERCE);
    Evidence {
        merchant_category: read::evidence(message, de::MERCHANT_CATEGORY),
        entry_mode: read::evidence(message, de::ENTRY_MODE),
        condition: read::evidence(message, de::CONDITION),
        pos_data: read::evidence(message, de::POS_DATA),
        eci: Text::new(ecommerce.as_str().get(..2).unwrap_or_default()).unwrap_or_default(),
        card_sequence,
        acceptor: read::evidence(message, de::ACCEPTOR),
        emv: icc::evidence(message.get(de::ICC).unwrap_or_default()),
    }
}

/// DE2 and DE14; where a magnetic-stripe terminal sends DE35 alone, PAN and expiry come from there.
/// Where it sends both they must agree.
fn secrets(message: &Message) -> Result<CardSecrets, Error> {
    let track2 = read::maybe(message, de::TRACK2, Track2::new)?;
    let (track_pan, track_expiry) = match &track2 {
        Some(track) => {
            let (pan, expiry) = parts(track).ok_or(Error::Invalid(de::TRACK2))?;
            (Some(pan), expiry)
        }
        None => (None, None),
    };
    let pan = read::maybe(message, de::PAN, Pan::new)?;
    if let (Some(pan), Some(track_pan)) = (&pan, &track_pan)
        && pan != track_pan
    {
        return Err(Error::Contradiction(de::PAN, de::TRACK2));
    }
    Ok(CardSecrets {
        pan: pan.or(track_pan).ok_or(Error::Missing(de::PAN))?,
        expiry: read::maybe(message, de::EXPIRY, Expiry::new)?.or(track_expiry),
        sequence: read::card_sequence(message)?,
        track2,
        pin_block: read::maybe(message, de::PIN_BLOCK, PinBlock::new)?,
    })
}

/// PAN and expiry of track 2: digits, separator, YYMM (ISO/IEC 7813). An expiry of another form (a
/// second separator stands for "none") is none.
fn parts(track: &Track2) -> Option<(Pan, Option<Expiry>)> {
    let raw = track.reveal();
    let at = raw.iter().position(|byte| matches!(byte, b'=' | b'D'))?;
    let pan = Pan::new(raw.get(..at)?).ok()?;
    let expiry = raw.get(at + 1..at + 5).and_then(|digits| Expiry::new(digits).ok());
    Some((pan, expiry))
}

fn completion(message: &Message, binding: &Binding) -> Result<CompletionReceived, Error> {
    let head = head(message, binding)?;
    if head.rrn.is_none() {
        return Err(Error::Missing(de::RRN));
    }
    let secrets = if message.has(de::PAN) || message.has(de::TRACK2) { Some(secrets(message)?) } else { None };
    let completion = Completion {
        head,
        processing_code: processing_code(message)?,
        amount: read::amount(message)?,
        approval: read::maybe(message, de::APPROVAL, ApprovalCode::from_bytes)?,
        card: None,
        evidence: evidence(message, secrets.as_ref().and_then(|secrets| secrets.sequence)),
    };
    Ok(CompletionReceived { completion, secrets })
}

fn reversal(message: &Message, original_local: Option<LocalDateTime>, binding: &Binding) -> Result<Reversal, Error> {
    let head = head(message, binding)?;
    let amount = read::amount(message)?;
    let invalid = Error::Invalid(de::ORIGINAL);
    let original = read::required(message, de::ORIGINAL)?;
    let mti = original.get(..4).and_then(|mti| Text::from_bytes(mti).ok()).ok_or(invalid)?;
    let stan = original.get(4..10).and_then(|stan| Stan::parse(stan).ok()).ok_or(invalid)?;
    let final_amount = match read::optional(message, de::REPLACEMENT_AMOUNTS) {
        None => None,
        Some(amounts) => {
            let minor = amounts.get(..12).and_then(read::number);
            let stands = minor.and_then(|minor| Amount::new(minor, amount.currency()).ok());
            Some(stands.ok_or(Error::Invalid(de::REPLACEMENT_AMOUNTS))?)
        }
    };
    Ok(Reversal {
        head,
        processing_code: processing_code(message)?,
        amount,
        original: OriginalKey { mti, stan, local: original_local.unwrap_or(head.local) },
        final_amount,
        advice: matches!(message.mti(), "0420" | "0421"),
    })
}
