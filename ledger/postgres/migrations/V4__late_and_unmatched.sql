-- That the issuer approved what is being taken back is a fact of its own: whoever owes the reversal after a
-- crash must not believe that there is no original. 15 was never written.

alter table ledger.payment add column approved_late bool not null default false;
grant update (approved_late) on ledger.payment to switchyard_runtime;

create or replace function ledger.cause_name(cause int2) returns text language sql immutable parallel safe as $$
  select case cause
    when 1 then 'accepted' when 2 then 'approval' when 3 then 'capture' when 4 then 'decline' when 5 then 'own-decline'
    when 6 then 'not-sent' when 7 then 'timeout' when 8 then 'recovery' when 9 then 'late' when 10 then 'acquirer-reversal'
    when 11 then 'completion' when 12 then 'reversal-acknowledged' when 13 then 'clearing-credit' when 14 then 'dead-letter'
    when 16 then 'advice-acknowledged' when 17 then 'rerouted' when 18 then 'revived' when 19 then 'late-approval' when 20 then 'matched'
    when 21 then 'withdrawn' end
$$;

-- An operator matches or withdraws a completion that came without its authorization. The list of those that
-- are still there reads the events that opened them, which nothing ever changes.
create or replace function ledger.state_name(state int2) returns text language sql immutable parallel safe as $$
  select case state
    when 1 then 'sent' when 2 then 'approved' when 3 then 'captured' when 4 then 'declined' when 5 then 'abandoned'
    when 6 then 'reversing' when 7 then 'reversed' when 8 then 'enquiring' when 9 then 'executed' when 10 then 'unmatched'
    when 11 then 'matched' end
$$;

create index event_unmatched on ledger.event (shard, payment) where state = 10 and version = 1;
