//! Card verification values and chip cards.

use crypto::cvv::Cvv;
use payments::Pan;
use zeroize::Zeroizing;

use super::Hsm;
use crate::compose::{card, chip};
use crate::{ArpcAnswer, ChipCard, ChipTransaction, Contactless, HsmError, KeyName, Track};

impl Hsm {
    /// The CVV or CVC of a stripe, a panel (service code 000) or a chip (999), under a key with role CVK.
    pub async fn generate_cvv(&self, cvk: &KeyName, track: &Track) -> Result<Cvv, HsmError> {
        let (cvk, track) = (*cvk, track.clone());
        self.payment("generate_cvv", move |token| card::generate_cvv(token, &cvk, &track)).await
    }

    /// Whether a card shows the right value.
    pub async fn verify_cvv(&self, cvk: &KeyName, track: &Track, shown: &Cvv) -> Result<bool, HsmError> {
        let (cvk, track, shown) = (*cvk, track.clone(), shown.clone());
        self.payment("verify_cvv", move |token| card::verify_cvv(token, &cvk, &track, &shown)).await
    }

    /// Whether a contactless card shows the right dCVV for its transaction counter, four ASCII digits.
    pub async fn verify_dcvv(&self, key: &Contactless, track: &Track, counter: [u8; 4], shown: &Cvv) -> Result<bool, HsmError> {
        let (key, track, shown) = (*key, track.clone(), shown.clone());
        self.payment("verify_dcvv", move |token| card::verify_dcvv(token, &key, &track, counter, &shown)).await
    }

    /// Whether a contactless card shows the right CVC3: `shown` is its last `digits` decimal digits, 3 to 5, and
    /// `track` the template as bytes.
    pub async fn verify_cvc3(
        &self,
        key: &Contactless,
        pan: &Pan,
        track: &[u8],
        unpredictable: [u8; 4],
        counter: [u8; 2],
        shown: (u32, u8),
    ) -> Result<bool, HsmError> {
        let (key, pan, track) = (*key, pan.clone(), Zeroizing::new(track.to_vec()));
        self.payment("verify_cvc3", move |token| card::verify_cvc3(token, &key, &pan, &track, unpredictable, counter, shown))
            .await
    }

    /// Whether the transaction's cryptogram is the card's over `data`, which is in the order of its scheme.
    pub async fn verify_arqc(&self, card: &ChipCard, of: &ChipTransaction, data: &[u8]) -> Result<bool, HsmError> {
        let (card, of, data) = (card.clone(), *of, Zeroizing::new(data.to_vec()));
        self.payment("verify_arqc", move |token| chip::verify_arqc(token, &card, &of, &data)).await
    }

    /// The issuer's answer to the transaction's cryptogram (ARPC): 8 bytes by method 1, 4 by method 2.
    pub async fn generate_arpc(&self, card: &ChipCard, of: &ChipTransaction, answer: &ArpcAnswer) -> Result<Vec<u8>, HsmError> {
        let (card, of, answer) = (card.clone(), *of, *answer);
        self.payment("generate_arpc", move |token| chip::generate_arpc(token, &card, &of, &answer)).await
    }

    /// The MAC of a command of an issuer script.
    pub async fn generate_script_mac(
        &self,
        card: &ChipCard,
        of: &ChipTransaction,
        header: &[u8],
        data: &[u8],
    ) -> Result<[u8; 8], HsmError> {
        let (card, of, header, data) = (card.clone(), *of, header.to_vec(), Zeroizing::new(data.to_vec()));
        self.payment("generate_script_mac", move |token| chip::script_mac(token, &card, &of, &header, &data)).await
    }
}
