-- Data keys of the vault, each under a key encryption key of the HSM. Whoever has this table and not
-- the HSM has nothing; whoever loses this table loses every sealed card.
create table vault.data_key (
    id         smallint generated always as identity primary key check (id > 0),
    purpose    text not null check (purpose in ('card', 'fingerprint')),
    kek        text not null,
    wrapped    bytea not null check (octet_length(wrapped) between 32 and 256),
    active     boolean not null,
    created_at timestamptz not null default now()
);

-- New cards are sealed under one key; the others only open.
create unique index data_key_active on vault.data_key (purpose) where active;

-- A data key is never changed and never removed while anything may be sealed under it.
create function vault.keep_data_key() returns trigger language plpgsql as $$
begin
    if tg_op <> 'UPDATE' then
        raise exception 'data keys are not removed';
    end if;
    if (new.id, new.purpose, new.created_at) is distinct from (old.id, old.purpose, old.created_at) then
        raise exception 'of a data key only its wrapping and whether it is active change';
    end if;
    return new;
end
$$;
create trigger keep_data_key before update or delete on vault.data_key
    for each row execute function vault.keep_data_key();
create trigger keep_data_keys before truncate on vault.data_key
    for each statement execute function vault.keep_data_key();
