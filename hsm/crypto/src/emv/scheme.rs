//! What card schemes choose of EMV, one table row for each cryptogram version: the rules as the public
//! documentation of pyemv 1.5.0 states them, over EMV 4.3 Book 2.

use zeroize::Zeroizing;

use super::cryptogram::{generate, response_1, response_2};
use super::script::{Encipherment, PinChange, PinLayout, command_mac, encrypt_data};
use super::{Card, Derivation, master_key, session};
use crate::mac::Padding;
use crate::tdes::Block;
use crate::{CryptoError, Pin, TdesKey};

/// Which key cryptograms and answers are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptogramKey {
    /// The card's master key itself.
    Master,
    /// The common session key of the transaction counter.
    Counter,
    /// The session key of counter and unpredictable number.
    CounterAndUnpredictable,
}

/// Which key scripts are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScriptKey {
    /// Visa's, of the transaction counter.
    VisaCounter,
    /// The common session key of the cryptogram.
    Cryptogram,
}

/// What of the issuer's application data (tag 9F10) goes into a cryptogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuerData {
    /// The card verification results in it.
    Results,
    /// The card verification results and the counters after them.
    ResultsAndCounters,
    /// All of it.
    Whole,
}

/// What the card needs of the issuer in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Method 1: a response code.
    Code([u8; 2]),
    /// Method 2: card status update and proprietary data, up to 8 bytes.
    Status([u8; 4], &'a [u8]),
}

/// What a transaction gives; each function says which of it its scheme lacks by [`CryptoError::EmvData`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Application transaction counter (9F36).
    pub counter: Option<[u8; 2]>,
    /// Unpredictable number of the terminal (9F37).
    pub unpredictable: Option<[u8; 4]>,
    /// The application cryptogram (9F26).
    pub cryptogram: Option<Block>,
}

/// The issuer's three master keys that a PIN change takes.
#[derive(Debug, Clone, Copy)]
pub struct IssuerKeys<'a> {
    /// For application cryptograms.
    pub cryptogram: &'a TdesKey,
    /// For script integrity.
    pub integrity: &'a TdesKey,
    /// For script confidentiality.
    pub confidentiality: &'a TdesKey,
}

/// One cryptogram version of a card scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    derivation: Derivation,
    request_key: CryptogramKey,
    issuer_data: IssuerData,
    padding: Padding,
    answer_key: CryptogramKey,
    answers_with_code: bool,
    script_key: ScriptKey,
    // Whether counter and cryptogram go into a script's MAC.
    binds_script: bool,
    encipherment: Encipherment,
    pin: PinLayout,
}

/// What the newer versions of Visa have in common.
const VISA_18: Scheme = Scheme {
    derivation: Derivation::B,
    request_key: CryptogramKey::Counter,
    issuer_data: IssuerData::Whole,
    padding: Padding::OneThenZeros,
    answer_key: CryptogramKey::Counter,
    answers_with_code: false,
    script_key: ScriptKey::VisaCounter,
    binds_script: true,
    encipherment: Encipherment::LengthFirst,
    pin: PinLayout::Visa,
};

const MASTERCARD_16: Scheme = Scheme {
    derivation: Derivation::A,
    request_key: CryptogramKey::CounterAndUnpredictable,
    issuer_data: IssuerData::Results,
    padding: Padding::OneThenZeros,
    answer_key: CryptogramKey::Master,
    answers_with_code: true,
    script_key: ScriptKey::Cryptogram,
    binds_script: true,
    encipherment: Encipherment::PaddedIfNeeded,
    pin: PinLayout::Iso2,
};

impl Scheme {
    /// Visa, cryptogram version 10.
    pub const VISA_10: Self = Self {
        derivation: Derivation::A,
        request_key: CryptogramKey::Master,
        issuer_data: IssuerData::Results,
        padding: Padding::Zeros,
        answer_key: CryptogramKey::Master,
        answers_with_code: true,
        ..VISA_18
    };
    /// Visa, cryptogram version 18.
    pub const VISA_18: Self = VISA_18;
    /// Visa, cryptogram version 22.
    pub const VISA_22: Self = Self { script_key: ScriptKey::Cryptogram, pin: PinLayout::VisaWithCurrent, ..VISA_18 };
    /// Mastercard, cryptogram version 16.
    pub const MASTERCARD_16: Self = MASTERCARD_16;
    /// Mastercard, cryptogram version 17: counters in the cryptogram.
    pub const MASTERCARD_17: Self = Self { issuer_data: IssuerData::ResultsAndCounters, ..MASTERCARD_16 };
    /// Mastercard, cryptogram version 20: EMV's session key.
    pub const MASTERCARD_20: Self =
        Self { request_key: CryptogramKey::Counter, answer_key: CryptogramKey::Counter, ..MASTERCARD_16 };
    /// Mastercard, cryptogram version 21: EMV's session key, counters in the cryptogram.
    pub const MASTERCARD_21: Self = Self { issuer_data: IssuerData::ResultsAndCounters, ..Self::MASTERCARD_20 };
    /// Interac, cryptogram version 133.
    pub const INTERAC_133: Self = Self {
        issuer_data: IssuerData::Whole,
        answer_key: CryptogramKey::CounterAndUnpredictable,
        binds_script: false,
        ..MASTERCARD_16
    };

    /// How a card's keys are derived from the issuer's.
    pub fn derivation(&self) -> Derivation {
        self.derivation
    }

    /// Which key makes cryptograms.
    pub fn request_key(&self) -> CryptogramKey {
        self.request_key
    }

    /// How the data of a cryptogram is padded.
    pub fn padding(&self) -> Padding {
        self.padding
    }

    /// Which key makes answers.
    pub fn answer_key(&self) -> CryptogramKey {
        self.answer_key
    }

    /// Whether answers are by method 1, with a response code; else by method 2, with a status update.
    pub fn answers_with_code(&self) -> bool {
        self.answers_with_code
    }

    /// Which key makes the MACs of scripts.
    pub fn script_key(&self) -> ScriptKey {
        self.script_key
    }

    /// What the MAC of a script covers between header and data: counter and cryptogram, or nothing.
    pub fn between(&self, of: &Transaction) -> Result<Vec<u8>, CryptoError> {
        match (self.binds_script, of.counter, of.cryptogram) {
            (true, Some(counter), Some(cryptogram)) => Ok([&counter[..], &cryptogram].concat()),
            (true, ..) => Err(CryptoError::EmvData),
            (false, ..) => Ok(Vec::new()),
        }
    }

    /// What of the issuer's application data follows [`super::cryptogram::DATA`].
    pub fn issuer_data(&self) -> IssuerData {
        self.issuer_data
    }

    /// The cryptogram that the card makes, from the issuer's key for cryptograms.
    pub fn cryptogram(&self, issuer: &TdesKey, card: &Card<'_>, of: &Transaction, data: &[u8]) -> Result<Block, CryptoError> {
        Ok(generate(&self.session(issuer, card, self.request_key, of)?, data, self.padding))
    }

    /// Whether the transaction's cryptogram is the card's over this data, compared in constant time.
    pub fn verify(&self, issuer: &TdesKey, card: &Card<'_>, of: &Transaction, data: &[u8]) -> Result<bool, CryptoError> {
        let received = of.cryptogram.ok_or(CryptoError::EmvData)?;
        Ok(crate::same(&self.cryptogram(issuer, card, of, data)?, &received))
    }

    /// The issuer's answer to the transaction's cryptogram: 8 bytes by method 1, 4 by method 2.
    pub fn answer(
        &self,
        issuer: &TdesKey,
        card: &Card<'_>,
        of: &Transaction,
        answer: Answer<'_>,
    ) -> Result<Vec<u8>, CryptoError> {
        let cryptogram = of.cryptogram.ok_or(CryptoError::EmvData)?;
        let key = self.session(issuer, card, self.answer_key, of)?;
        match (self.answers_with_code, answer) {
            (true, Answer::Code(code)) => Ok(response_1(&key, &cryptogram, code).to_vec()),
            (false, Answer::Status(status, proprietary)) => Ok(response_2(&key, &cryptogram, status, proprietary)?.to_vec()),
            _ => Err(CryptoError::EmvData),
        }
    }

    /// The MAC of a script's command, from the issuer's key for script integrity.
    pub fn script_mac(
        &self,
        integrity: &TdesKey,
        card: &Card<'_>,
        of: &Transaction,
        header: &[u8],
        data: &[u8],
    ) -> Result<Block, CryptoError> {
        Ok(command_mac(&self.script_session(integrity, card, of)?, header, &self.between(of)?, data))
    }

    /// The command that changes a PIN (PIN CHANGE/UNBLOCK, Book 3 section 6.5.10): header, encrypted PIN
    /// data and MAC.
    pub fn pin_change(
        &self,
        keys: &IssuerKeys<'_>,
        card: &Card<'_>,
        of: &Transaction,
        pin: &Pin,
        current: Option<&Pin>,
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let cryptogram_key = self.card_key(keys.cryptogram, card)?;
        let clear = PinChange::new(self.pin, &cryptogram_key, pin, current)?;
        let session = self.script_session(keys.confidentiality, card, of)?;
        let sealed = encrypt_data(&session, self.encipherment, clear.reveal())?;
        let length = u8::try_from(sealed.len() + 8).map_err(|_| CryptoError::TooLong)?;
        let reference = if current.is_some() { 1 } else { 2 };
        let header = [0x84, 0x24, 0, reference, length];
        let mac = self.script_mac(keys.integrity, card, of, &header, &sealed)?;
        Ok(Zeroizing::new([&header[..], &sealed, &mac].concat()))
    }

    /// The card's master key of any of the issuer's, as the scheme derives it.
    pub fn card_key(&self, issuer: &TdesKey, card: &Card<'_>) -> Result<TdesKey, CryptoError> {
        master_key(issuer, self.derivation, card)
    }

    fn session(&self, issuer: &TdesKey, card: &Card<'_>, which: CryptogramKey, of: &Transaction) -> Result<TdesKey, CryptoError> {
        cryptogram_session(&self.card_key(issuer, card)?, which, of)
    }

    fn script_session(&self, issuer: &TdesKey, card: &Card<'_>, of: &Transaction) -> Result<TdesKey, CryptoError> {
        let master = self.card_key(issuer, card)?;
        match self.script_key {
            ScriptKey::VisaCounter => session::visa_messaging(&master, of.counter.ok_or(CryptoError::EmvData)?),
            ScriptKey::Cryptogram => session::common(&master, of.cryptogram.ok_or(CryptoError::EmvData)?),
        }
    }
}

/// The key of a transaction's cryptogram, from the card's master key.
pub fn cryptogram_session(master: &TdesKey, which: CryptogramKey, of: &Transaction) -> Result<TdesKey, CryptoError> {
    which.diversification(of)?.map_or_else(|| Ok(master.clone()), |value| session::common(master, value))
}

impl CryptogramKey {
    /// What the session key is diversified with; `None` where it is the master key.
    pub fn diversification(self, of: &Transaction) -> Result<Option<Block>, CryptoError> {
        let counter = || of.counter.ok_or(CryptoError::EmvData);
        Ok(match self {
            Self::Master => None,
            Self::Counter => Some(session::by_counter(counter()?)),
            Self::CounterAndUnpredictable => {
                let unpredictable = of.unpredictable.ok_or(CryptoError::EmvData)?;
                Some(session::by_counter_and_unpredictable(counter()?, unpredictable))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scheme_needs_and_did_not_get_is_refused() {
        let key = TdesKey::unchecked(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap();
        let card = Card::new(b"5127000294209253595", b"00").unwrap();
        let nothing = Transaction::default();
        let all = Transaction { counter: Some([0, 1]), unpredictable: Some([1; 4]), cryptogram: Some([2; 8]) };
        let scheme = Scheme::MASTERCARD_17;
        assert_eq!(scheme.cryptogram(&key, &card, &nothing, b""), Err(CryptoError::EmvData));
        assert_eq!(scheme.verify(&key, &card, &nothing, b""), Err(CryptoError::EmvData));
        assert_eq!(scheme.verify(&key, &card, &all, b""), Ok(false));
        assert_eq!(scheme.answer(&key, &card, &all, Answer::Status([0; 4], b"")), Err(CryptoError::EmvData));
        assert_eq!(Scheme::VISA_18.answer(&key, &card, &all, Answer::Code([0; 2])), Err(CryptoError::EmvData));
        assert_eq!(scheme.script_mac(&key, &card, &nothing, b"", b""), Err(CryptoError::EmvData));
        assert!(Scheme::VISA_10.cryptogram(&key, &card, &nothing, b"").is_ok());
        let keys = IssuerKeys { cryptogram: &key, integrity: &key, confidentiality: &key };
        let pin = Pin::new(b"1234").unwrap();
        assert_eq!(scheme.pin_change(&keys, &card, &all, &pin, Some(&pin)).map(|_| ()), Err(CryptoError::EmvData));
        assert_eq!(Scheme::VISA_22.pin_change(&keys, &card, &all, &pin, Some(&pin)).unwrap()[..5], [0x84, 0x24, 0, 1, 24]);
    }
}
