//! The handle: operations by purpose, each one command to some HSM.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use crypto::CryptoError;
use payments::{Pan, PinBlock};
use zeroize::Zeroizing;

use super::codec::{ErrorCode, Failure, Request, decode, encode};
use super::commands::admin::{CheckValue, ExportKey, FormKey, GenerateKey, Generated, ImportKey, Rewrap};
use super::commands::cards::{CardFields, CheckCvv, MakeCvv};
use super::commands::chip::{ChipAnswer, ChipScheme, Cryptogram};
use super::commands::data::{Chaining, Crypt, DataKeyField, TranslateData};
use super::commands::macs::{CheckMac, DukptMac, MacMethod, MakeMac};
use super::commands::pins::{Origin, PinKey, TranslatePin, VerifyOffset, VerifyPvv};
use super::commands::status::{Diagnostics, Health};
use super::commands::{Account, MAX_DATA, PinFormat};
use super::errors::{Family, reason, said_no};
use super::fleet::{Chance, Fleet};
use super::keys::{KeyEntry, KeyTable, Role, Shape, Wrapped, ZoneCryptogram};
use super::link::{Connector, Tcp};
use super::operations::{CardSecurity, Components, DataSource, Incoming, MacFrom, PinCheck, PinFrom, PinTo, padded};
use super::settings::HostSettings;
use crate::{Capabilities, HsmError, Kcv, KeyName};

/// Longest data of a cryptogram, in bytes.
const CHIP_DATA: usize = 255;

/// Payment HSMs behind host commands: clones share the connections and the key table. Every operation ends
/// within its deadline, in a result or in a typed error. All of them may be done twice without harm, so what
/// was lost with a connection is tried on another.
#[derive(Clone)]
pub struct PayShield {
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Fleet,
    keys: RwLock<KeyTable>,
}

impl PayShield {
    /// Begins to connect over TCP, with chance from the system. Must be called within a runtime.
    pub fn start(settings: HostSettings, keys: KeyTable) -> Self {
        let chance = || {
            let mut raw = [0; 8];
            // Without randomness all come back at once, which is no reason not to come back.
            let _ = getrandom::fill(&mut raw);
            u64::from_ne_bytes(raw)
        };
        Self::start_with(settings, keys, Arc::new(Tcp), Arc::new(chance))
    }

    /// As [`PayShield::start`], with connections and chance of the caller's choice: TLS, tests.
    pub fn start_with(settings: HostSettings, keys: KeyTable, connector: Arc<dyn Connector>, chance: Chance) -> Self {
        let fleet = Fleet::start(settings, connector, chance);
        Self { inner: Arc::new(Inner { fleet, keys: RwLock::new(keys) }) }
    }

    /// Waits until some HSM answers, at most as long as key management may take.
    ///
    /// # Errors
    /// [`HsmError::Unavailable`] when none does.
    pub async fn ready(&self) -> Result<(), HsmError> {
        self.inner.fleet.ready(self.inner.fleet.settings().admin_deadline()).await
    }

    /// What this backend can: everything stays inside.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { backend: "payshield", pin_stays_inside: true, keys_stay_inside: true }
    }

    /// Connections that stand.
    pub fn connections(&self) -> usize {
        self.inner.fleet.standing()
    }

    /// Operations that wait for room on a connection.
    pub fn queued(&self) -> usize {
        self.inner.fleet.queued()
    }

    /// Ends every connection; later calls get [`HsmError::Closed`].
    pub fn close(&self) {
        self.inner.fleet.close();
    }

    /// Whether an HSM answers, in the time that a payment has.
    ///
    /// # Errors
    /// As every operation: unavailable, late, busy.
    pub async fn ping(&self) -> Result<Health, HsmError> {
        self.payment("ping", &Diagnostics).await
    }

    /// Takes a PIN block to a zone's key, and to another layout. Nothing of it is in the clear outside the
    /// HSM.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`] when what is inside is not a PIN block: key, PAN or block are wrong, and
    /// nobody can tell which.
    pub async fn translate_pin(&self, from: &PinFrom, to: &PinTo, pan: &Pan, block: &PinBlock) -> Result<PinBlock, HsmError> {
        if block.reveal().len() != from.format().bytes() {
            return Err(HsmError::PinBlock);
        }
        let whole = from.format() == PinFormat::Iso4 || to.format == PinFormat::Iso4;
        let account = if whole { Account::whole(pan.reveal()) } else { Account::twelve(pan.reveal())? };
        let target = self.key_of(&to.key, &[Role::Zpk])?;
        let (source, ksn) = match from {
            PinFrom::Static { key, .. } => (self.key_of(key, &[Role::Tpk, Role::Zpk])?, None),
            PinFrom::Dukpt { bdk, ksn, .. } => (self.key_of(bdk, &[Role::Bdk])?, Some(ksn)),
        };
        let origin = match ksn {
            Some(ksn) => Origin::Dukpt(&source.wrapped, ksn),
            None => Origin::Static(pin_key(&source)),
        };
        let request = TranslatePin {
            origin,
            target: &target.wrapped,
            block: block.reveal(),
            from: from.format(),
            to: to.format,
            account: &account,
        };
        let moved = self.payment("translate_pin", &request).await?;
        PinBlock::new(&moved).map_err(|_| HsmError::PinBlock)
    }

    /// Whether the PIN in a block is the one that the issuer knows of.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`] as in a translation. The caller answers it as it answers `false` where the
    /// sender must not tell them apart.
    pub async fn verify_pin(&self, from: &PinFrom, pan: &Pan, block: &PinBlock, check: &PinCheck) -> Result<bool, HsmError> {
        let PinFrom::Static { key, format } = from else {
            return Err(HsmError::Unsupported("verify a PIN under a DUKPT key: translate it first"));
        };
        if *format == PinFormat::Iso4 {
            return Err(HsmError::Unsupported("verify a PIN in format 4: translate it first"));
        }
        if block.reveal().len() != format.bytes() {
            return Err(HsmError::PinBlock);
        }
        let account = Account::twelve(pan.reveal())?;
        let source = self.key_of(key, &[Role::Tpk, Role::Zpk])?;
        match check {
            PinCheck::Visa(kept) => {
                if !kept.index.is_ascii_digit() {
                    return Err(HsmError::KeyRefused(CryptoError::Pvki));
                }
                let verification = self.key_of(&kept.key, &[Role::Pvk])?;
                let request = VerifyPvv {
                    key: pin_key(&source),
                    verification: &verification.wrapped,
                    block: block.reveal(),
                    format: *format,
                    account: &account,
                    index: kept.index,
                    value: kept.value.reveal(),
                };
                self.verify("verify_pin", &request).await
            }
            PinCheck::Ibm3624(kept) => {
                let validation = kept.validation(pan, &account)?;
                let tables = &self.inner.fleet.settings().decimalisation_tables;
                if !tables.iter().any(|table| table.as_bytes() == kept.table) {
                    return Err(HsmError::KeyRefused(CryptoError::DecimalizationTable));
                }
                let verification = self.key_of(&kept.key, &[Role::Pvk])?;
                let request = VerifyOffset {
                    key: pin_key(&source),
                    verification: &verification.wrapped,
                    block: block.reveal(),
                    format: *format,
                    shortest: kept.shortest,
                    account: &account,
                    table: &kept.table,
                    validation: &validation,
                    offset: kept.offset.reveal(),
                };
                self.verify("verify_pin", &request).await
            }
        }
    }

    /// The MAC of data: 8 bytes, or 16 under an AES key; links that truncate take the leftmost.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above [`MAX_DATA`].
    pub async fn generate_mac(&self, from: &MacFrom, data: &[u8]) -> Result<Vec<u8>, HsmError> {
        within(data)?;
        match from {
            MacFrom::Static { key, algorithm } => {
                let entry = self.key_of(key, &[Role::Tak, Role::Zak])?;
                let bytes = entry.wrapped.shape().block();
                let method = MacMethod { role: entry.role, key: &entry.wrapped, algorithm: *algorithm, bytes };
                self.payment("generate_mac", &MakeMac { method, data }).await
            }
            MacFrom::Dukpt { bdk, ksn, padding } => {
                let entry = self.key_of(bdk, &[Role::Bdk])?;
                let data = padded(data, *padding)?;
                let request = DukptMac { base: &entry.wrapped, ksn, data: &data, check: None };
                self.payment("generate_mac", &request).await
            }
        }
    }

    /// Whether `mac` is that of `data`: all of it, or the 4 leftmost bytes where the link truncates.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for another length, which no command checks.
    pub async fn verify_mac(&self, from: &MacFrom, data: &[u8], mac: &[u8]) -> Result<bool, HsmError> {
        within(data)?;
        let right = match from {
            MacFrom::Static { key, algorithm } => {
                let entry = self.key_of(key, &[Role::Tak, Role::Zak])?;
                if !matches!(mac.len(), 4 | 8 | 16) || mac.len() > entry.wrapped.shape().block() {
                    return Err(MAC_LENGTH);
                }
                let method = MacMethod { role: entry.role, key: &entry.wrapped, algorithm: *algorithm, bytes: mac.len() };
                self.verify("verify_mac", &CheckMac { method, data, mac }).await?
            }
            MacFrom::Dukpt { bdk, ksn, padding } => {
                if !matches!(mac.len(), 4 | 8) {
                    return Err(MAC_LENGTH);
                }
                let entry = self.key_of(bdk, &[Role::Bdk])?;
                let data = padded(data, *padding)?;
                self.verify("verify_mac", &DukptMac { base: &entry.wrapped, ksn, data: &data, check: Some(mac) }).await?
            }
        };
        if !right {
            metrics::counter!("hsm_mac_mismatches_total").increment(1);
        }
        Ok(right)
    }

    /// The verification value of a card, three ASCII digits.
    ///
    /// # Errors
    /// [`HsmError::Refused`] for an expiry or a service code that is no digits.
    pub async fn cvv(&self, card: &CardSecurity<'_>) -> Result<Zeroizing<[u8; 3]>, HsmError> {
        let key = self.key_of(&card.key, &[Role::Cvk])?;
        self.payment("cvv", &MakeCvv { key: &key.wrapped, card: card_fields(card)? }).await
    }

    /// Whether a card shows the right value.
    ///
    /// # Errors
    /// As [`PayShield::cvv`].
    pub async fn verify_cvv(&self, card: &CardSecurity<'_>, shown: &[u8; 3]) -> Result<bool, HsmError> {
        let key = self.key_of(&card.key, &[Role::Cvk])?;
        if !shown.iter().all(u8::is_ascii_digit) {
            return Ok(false);
        }
        self.verify("verify_cvv", &CheckCvv { key: &key.wrapped, card: card_fields(card)?, shown }).await
    }

    /// Whether a cryptogram is the card's over `data`, which is padded as the card scheme wants.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above 255 bytes.
    pub async fn verify_arqc(&self, incoming: &Incoming<'_>, data: &[u8]) -> Result<bool, HsmError> {
        let outcome = self.chip("verify_arqc", incoming, Some(data), None).await?;
        Ok(outcome.is_some())
    }

    /// As [`PayShield::verify_arqc`], with the issuer's answer where the cryptogram is right; `None` where
    /// it is not.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for an answer that the scheme does not have.
    pub async fn verify_arqc_and_answer(
        &self,
        incoming: &Incoming<'_>,
        data: &[u8],
        answer: ChipAnswer<'_>,
    ) -> Result<Option<Vec<u8>>, HsmError> {
        self.chip("verify_arqc", incoming, Some(data), Some(answer)).await
    }

    /// The issuer's answer to a cryptogram that was checked elsewhere.
    ///
    /// # Errors
    /// As [`PayShield::verify_arqc_and_answer`].
    pub async fn answer_arqc(&self, incoming: &Incoming<'_>, answer: ChipAnswer<'_>) -> Result<Vec<u8>, HsmError> {
        let made = self.chip("answer_arqc", incoming, None, Some(answer)).await?;
        made.ok_or_else(|| HsmError::Refused("HSM checked a cryptogram that it was not asked to".to_owned()))
    }

    async fn chip(
        &self,
        operation: &'static str,
        incoming: &Incoming<'_>,
        data: Option<&[u8]>,
        answer: Option<ChipAnswer<'_>>,
    ) -> Result<Option<Vec<u8>>, HsmError> {
        if data.is_some_and(|data| data.len() > CHIP_DATA) {
            return Err(HsmError::TooLong);
        }
        match (incoming.scheme, answer) {
            (ChipScheme::Static | ChipScheme::MChip, Some(ChipAnswer::Status(..))) => {
                return Err(HsmError::Unsupported("answer by method 2 in this scheme"));
            }
            (_, Some(ChipAnswer::Status(_, proprietary))) if proprietary.len() > 8 => return Err(HsmError::TooLong),
            _ => {}
        }
        if !incoming.sequence.iter().all(u8::is_ascii_digit) {
            return Err(HsmError::KeyRefused(CryptoError::PanSequence));
        }
        let key = self.key_of(&incoming.key, &[Role::MkAc])?;
        let request = Cryptogram {
            scheme: incoming.scheme,
            key: &key.wrapped,
            pan: incoming.pan.reveal(),
            sequence: &incoming.sequence,
            counter: incoming.counter,
            unpredictable: incoming.unpredictable,
            data,
            received: incoming.cryptogram,
            answer,
        };
        self.maybe(operation, &request).await
    }

    /// Encrypts whole blocks.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above [`MAX_DATA`].
    pub async fn encrypt_data(
        &self,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.crypt("encrypt_data", true, with, chaining, data).await
    }

    /// Decrypts whole blocks.
    ///
    /// # Errors
    /// As [`PayShield::encrypt_data`].
    pub async fn decrypt_data(
        &self,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.crypt("decrypt_data", false, with, chaining, data).await
    }

    async fn crypt(
        &self,
        operation: &'static str,
        encrypt: bool,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let key = self.data_key(with)?;
        whole_blocks(&key, chaining, data)?;
        let request = Crypt { encrypt, chaining, key: data_field(&key, with), data };
        self.payment(operation, &request).await
    }

    /// Takes encrypted data from one key to another; the clear data stays inside.
    ///
    /// # Errors
    /// As [`PayShield::encrypt_data`].
    pub async fn translate_data(
        &self,
        from: (&DataSource, Chaining<'_>),
        to: (&DataSource, Chaining<'_>),
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let (source, target) = (self.data_key(from.0)?, self.data_key(to.0)?);
        whole_blocks(&source, from.1, data)?;
        whole_blocks(&target, to.1, data)?;
        let request = TranslateData {
            from: from.1,
            to: to.1,
            source: data_field(&source, from.0),
            target: data_field(&target, to.0),
            data,
        };
        self.payment("translate_data", &request).await
    }

    /// Makes a TDES key and puts it into the table. With a zone master key it comes back under that one,
    /// too, for the other party.
    ///
    /// # Errors
    /// [`HsmError::KeyExists`] when the name is taken.
    pub async fn generate_key(
        &self,
        name: &KeyName,
        role: Role,
        shape: Shape,
        zone: Option<&KeyName>,
    ) -> Result<(KeyEntry, Option<ZoneCryptogram>), HsmError> {
        self.is_free(name)?;
        let zone = zone.map(|zone| self.key_of(zone, &[Role::Zmk])).transpose()?;
        let request = GenerateKey { role, shape, zone: zone.as_ref().map(|zone| &zone.wrapped) };
        request.check()?;
        let Generated { wrapped, sent, check_value } = self.admin("generate_key", &request).await?;
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok((entry, sent))
    }

    /// Forms a key of components, each under the local master key, and puts it into the table.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for fewer than two, more than nine, or of different lengths.
    pub async fn form_key(&self, name: &KeyName, role: Role, components: Components<'_>) -> Result<KeyEntry, HsmError> {
        self.is_free(name)?;
        let shape = match components {
            [first, _, ..] if components.len() <= 9 => first.shape(),
            _ => return Err(HsmError::KeyRefused(CryptoError::Components)),
        };
        if shape == Shape::Aes || components.iter().any(|component| component.shape() != shape) {
            return Err(HsmError::KeyRefused(CryptoError::Components));
        }
        let (wrapped, check_value) = self.admin("form_key", &FormKey { role, components, shape }).await?;
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok(entry)
    }

    /// Brings a key in that came under a zone master key, with the check value that its sender told.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for wrong parity or equal parts, [`HsmError::KcvMismatch`] for another key
    /// than the sender meant.
    pub async fn import_key(
        &self,
        name: &KeyName,
        role: Role,
        zone: &KeyName,
        sent: &ZoneCryptogram,
        check_value: Kcv,
    ) -> Result<KeyEntry, HsmError> {
        self.is_free(name)?;
        let zone = self.key_of(zone, &[Role::Zmk])?;
        let request = ImportKey { role, zone: &zone.wrapped, sent };
        let (code, (wrapped, told)) = self.coded("import_key", &request).await?;
        if code == ErrorCode::FAILED {
            return Err(HsmError::KeyRefused(CryptoError::Parity));
        }
        if !crypto::same(&told.0, &check_value.0) {
            return Err(HsmError::KcvMismatch);
        }
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok(entry)
    }

    /// Sends a key out under a zone master key, with its check value.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for AES keys.
    pub async fn export_key(&self, name: &KeyName, zone: &KeyName) -> Result<(ZoneCryptogram, Kcv), HsmError> {
        let zone = self.key_of(zone, &[Role::Zmk])?;
        let key = self.key_of(name, &Role::ALL)?;
        let scheme = key.wrapped.shape().zone_scheme()?;
        let request = ExportKey { role: key.role, zone: &zone.wrapped, key: &key.wrapped, scheme };
        let (sent, check_value) = self.admin("export_key", &request).await?;
        if check_value == key.check_value { Ok((sent, check_value)) } else { Err(HsmError::KcvMismatch) }
    }

    /// The check value that the HSM computes of a key.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub async fn key_check_value(&self, name: &KeyName) -> Result<Kcv, HsmError> {
        let key = self.key_of(name, &Role::ALL)?;
        self.check_value_of(key.role, &key.wrapped).await
    }

    /// As [`PayShield::key_check_value`], of a key that is in no table: a component, for one.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] when it is not a key of the role.
    pub async fn check_value_of(&self, role: Role, wrapped: &Wrapped) -> Result<Kcv, HsmError> {
        self.admin("key_check_value", &CheckValue { role, key: wrapped }).await
    }

    /// Puts a key from storage into the table, once the HSM has said that it is the one meant.
    ///
    /// # Errors
    /// [`HsmError::KcvMismatch`] when it is another.
    pub async fn add_key(&self, name: &KeyName, entry: KeyEntry) -> Result<(), HsmError> {
        self.is_free(name)?;
        if self.check_value_of(entry.role, &entry.wrapped).await? != entry.check_value {
            return Err(HsmError::KcvMismatch);
        }
        self.write().insert(*name, entry)
    }

    /// A key under the old local master keys, under the new ones.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] when it is not under the old ones.
    pub async fn rewrap_key(&self, role: Role, old: &Wrapped) -> Result<Wrapped, HsmError> {
        self.admin("rewrap_key", &Rewrap { role, key: old }).await
    }

    /// Takes a key out of the table. An HSM of this kind has nothing to forget.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub fn remove_key(&self, name: &KeyName) -> Result<KeyEntry, HsmError> {
        self.write().remove(name)
    }

    /// A key of the table.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub fn key(&self, name: &KeyName) -> Result<KeyEntry, HsmError> {
        self.key_of(name, &Role::ALL)
    }

    fn read(&self) -> RwLockReadGuard<'_, KeyTable> {
        self.inner.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, KeyTable> {
        self.inner.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn key_of(&self, name: &KeyName, allowed: &[Role]) -> Result<KeyEntry, HsmError> {
        self.read().resolve(name, allowed)
    }

    fn is_free(&self, name: &KeyName) -> Result<(), HsmError> {
        if self.read().get(name).is_some() { Err(HsmError::KeyExists(*name)) } else { Ok(()) }
    }

    fn data_key(&self, source: &DataSource) -> Result<KeyEntry, HsmError> {
        match source {
            DataSource::Static { key } => self.key_of(key, &[Role::Zek, Role::Dek]),
            DataSource::Dukpt { bdk, .. } => self.key_of(bdk, &[Role::Bdk]),
        }
    }

    /// One command in the time of a payment.
    async fn payment<R: Request>(&self, operation: &'static str, request: &R) -> Result<R::Response, HsmError> {
        let patience = self.inner.fleet.settings().deadline();
        let outcome = self.run(operation, request, patience).await?;
        outcome.map(|(_, response)| response).map_err(|failure| reason(Family::of(request.code()), failure))
    }

    /// One command in the time of key management.
    async fn admin<R: Request>(&self, operation: &'static str, request: &R) -> Result<R::Response, HsmError> {
        self.coded(operation, request).await.map(|(_, response)| response)
    }

    async fn coded<R: Request>(&self, operation: &'static str, request: &R) -> Result<(ErrorCode, R::Response), HsmError> {
        let patience = self.inner.fleet.settings().admin_deadline();
        let outcome = self.run(operation, request, patience).await?;
        outcome.map_err(|failure| reason(Family::of(request.code()), failure))
    }

    /// A verification: 01 is no.
    async fn verify<R: Request>(&self, operation: &'static str, request: &R) -> Result<bool, HsmError> {
        Ok(self.maybe(operation, request).await?.is_some())
    }

    /// As [`PayShield::verify`], with what came along with a yes.
    async fn maybe<R: Request>(&self, operation: &'static str, request: &R) -> Result<Option<R::Response>, HsmError> {
        let patience = self.inner.fleet.settings().deadline();
        match self.run(operation, request, patience).await? {
            Ok((_, response)) => Ok(Some(response)),
            Err(failure) if said_no(failure) => Ok(None),
            Err(failure) => Err(reason(Family::of(request.code()), failure)),
        }
    }

    /// Sends, waits, reads, and counts how it went.
    async fn run<R: Request>(
        &self,
        operation: &'static str,
        request: &R,
        patience: Duration,
    ) -> Result<Result<(ErrorCode, R::Response), Failure>, HsmError> {
        let started = Instant::now();
        let answer = self.inner.fleet.call(&encode(request), patience).await;
        let outcome = answer.map(|answer| decode(request, &answer));
        let class = match &outcome {
            Err(error) => error.class(),
            Ok(Err(_)) => "refused",
            Ok(Ok(_)) => "ok",
        };
        metrics::counter!("hsm_operations_total", "operation" => operation, "result" => class).increment(1);
        metrics::histogram!("hsm_operation_seconds", "operation" => operation).record(started.elapsed());
        match &outcome {
            Err(error) => tracing::debug!(target: "hsm", operation, class, %error, "HSM operation failed"),
            Ok(Err(failure)) => tracing::debug!(target: "hsm", operation, class, ?failure, "HSM refused"),
            Ok(Ok(_)) => {}
        }
        outcome
    }
}

impl fmt::Debug for PayShield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayShield({} connections)", self.connections())
    }
}

const MAC_LENGTH: HsmError = HsmError::Unsupported("check a MAC of this length");

fn pin_key(entry: &KeyEntry) -> PinKey<'_> {
    if entry.role == Role::Tpk { PinKey::Terminal(&entry.wrapped) } else { PinKey::Zone(&entry.wrapped) }
}

fn within(data: &[u8]) -> Result<(), HsmError> {
    if data.len() > MAX_DATA { Err(HsmError::TooLong) } else { Ok(()) }
}

fn card_fields<'a>(card: &'a CardSecurity<'_>) -> Result<CardFields<'a>, HsmError> {
    let digits = card.expiry.iter().chain(&card.service_code);
    if !digits.into_iter().all(u8::is_ascii_digit) {
        return Err(HsmError::Refused("expiry and service code are digits".to_owned()));
    }
    if card.pan.reveal().len() < 12 {
        return Err(HsmError::Pan);
    }
    Ok(CardFields { pan: card.pan.reveal(), expiry: &card.expiry, service_code: &card.service_code })
}

fn data_field<'a>(entry: &'a KeyEntry, source: &'a DataSource) -> DataKeyField<'a> {
    let ksn = match source {
        DataSource::Static { .. } => None,
        DataSource::Dukpt { ksn, .. } => Some(ksn),
    };
    DataKeyField { role: entry.role, key: &entry.wrapped, ksn }
}

fn whole_blocks(entry: &KeyEntry, chaining: Chaining<'_>, data: &[u8]) -> Result<(), HsmError> {
    within(data)?;
    let block = entry.wrapped.shape().block();
    let start_fits = match chaining {
        Chaining::Ecb => true,
        Chaining::Cbc(start) => start.len() == block,
    };
    if data.is_empty() || !data.len().is_multiple_of(block) || !start_fits {
        return Err(HsmError::Refused("data and its start are whole blocks of the key's cipher".to_owned()));
    }
    Ok(())
}
