//! Keys made, taken in, taken out and removed. Whatever makes, finds or removes objects is one at a time.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use zeroize::{Zeroize, Zeroizing};

use super::directory;
use super::faults::fault;
use super::template::{generation, key_type, template};
use super::token::Pkcs11Token;
use crate::token::{Fault, KeyKind, Token, draw};
use crate::{ClearKey, Exportability, HsmError, Kcv, KeyInfo, KeyName, ModeOfUse};

impl Pkcs11Token {
    pub(super) fn make(&mut self, name: &KeyName, kind: KeyKind) -> Result<KeyInfo, Fault> {
        self.refuse_existing(name)?;
        if directory::needs_companion(kind.role, kind.algorithm) {
            // The token cannot make the companion of a key whose value it keeps to itself.
            let drawn = draw(self, kind)?;
            return self.take_in(name, &drawn);
        }
        let KeyKind { role, algorithm, exportability } = kind;
        let wanted = KeyInfo { name: *name, role, algorithm, mode: ModeOfUse::Unrestricted, exportability, kcv: Kcv([0; 3]) };
        let mut template = template(&directory::label(name, role), &wanted);
        let (mechanism, length) = generation(algorithm);
        template.extend(length);
        let made = {
            let _state = self.shared.lock();
            self.session.generate_key(&mechanism, &template)
        };
        made.map_err(fault)?;
        self.reread()?;
        self.known(name)
    }

    pub(super) fn take_in(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault> {
        self.refuse_existing(name)?;
        let info = key.info(*name);
        if let Some(companion) = key.companion()? {
            let label = directory::companion_label(name, info.role);
            self.sweep(&label)?;
            self.create(&label, &KeyInfo { exportability: Exportability::NonExportable, ..info }, companion.reveal())?;
        }
        self.create(&directory::label(name, info.role), &info, key.reveal())?;
        self.reread()?;
        let held = self.known(name)?;
        // What the token holds must be what was given; a token may not tell, then there is nothing to
        // compare.
        if held.kcv != info.kcv && held.kcv.0 != [0; 3] {
            self.remove(name)?;
            return Err(HsmError::KcvMismatch.into());
        }
        Ok(held)
    }

    /// A key that may leave, as the token gives it out: wrapped under a key that is drawn for this one time, and
    /// unwrapped here.
    pub(super) fn wrapped_out(&mut self, name: &KeyName) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (info, object) = self.original(name)?;
        if !info.exportability.may_leave() {
            return Err(HsmError::NotExportable(*name).into());
        }
        let mut raw = Zeroizing::new([0; 32]);
        self.random(&mut *raw)?;
        let mut once = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Wrap(true),
            Attribute::Value(raw.to_vec()),
        ];
        let wrapped = {
            let _state = self.shared.lock();
            let made = self.session.create_object(&once);
            wipe(&mut once);
            let once = made.map_err(fault)?;
            let wrapped = self.session.wrap_key(&Mechanism::AesKeyWrap, once, object);
            let _ = self.session.destroy_object(once);
            wrapped.map_err(fault)?
        };
        let key = crypto::AesKey::from_bytes(&*raw)?;
        Ok(crypto::keywrap::unwrap(&key, &wrapped)?)
    }

    pub(super) fn remove(&mut self, name: &KeyName) -> Result<(), Fault> {
        self.reread()?;
        let role = self.known(name)?.role;
        self.sweep(&directory::label(name, role))?;
        self.sweep(&directory::companion_label(name, role))?;
        // Finds it gone, and so drops its copies here and with the other workers.
        self.reread()
    }

    fn refuse_existing(&mut self, name: &KeyName) -> Result<(), Fault> {
        self.reread()?;
        if self.known(name).is_ok() { Err(HsmError::KeyExists(*name).into()) } else { Ok(()) }
    }

    /// Removes objects with this label: what a cut-off import left.
    fn sweep(&self, label: &str) -> Result<(), Fault> {
        let _state = self.shared.lock();
        for handle in self.session.find_objects(&[Attribute::Label(label.into()), Attribute::Token(true)]).map_err(fault)? {
            self.session.destroy_object(handle).map_err(fault)?;
        }
        Ok(())
    }

    fn create(&self, label: &str, info: &KeyInfo, value: &[u8]) -> Result<(), Fault> {
        let mut template = template(label, info);
        template.extend([
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(key_type(info.algorithm)),
            Attribute::Value(value.to_vec()),
        ]);
        // A companion is of two parts, whatever its key is.
        if value.len() == 16 && info.algorithm.is_tdes() {
            template.retain(|attribute| !matches!(attribute, Attribute::KeyType(_)));
            template.push(Attribute::KeyType(KeyType::DES2));
        }
        let created = {
            let _state = self.shared.lock();
            self.session.create_object(&template)
        };
        wipe(&mut template);
        created.map(|_| ()).map_err(fault)
    }
}

/// Wipes the value in a template: the library's own copies are the library's.
fn wipe(template: &mut [Attribute]) {
    for attribute in template {
        if let Attribute::Value(value) = attribute {
            value.zeroize();
        }
    }
}
