-- What other packages read. A view's name ends in its version: columns are added, never changed or
-- removed; what must change becomes the next version beside the old one.

-- State as the lifecycle names it.
create function ledger.state_name(state int2) returns text language sql immutable parallel safe as $$
  select case state
    when 1 then 'sent' when 2 then 'approved' when 3 then 'captured' when 4 then 'declined' when 5 then 'abandoned'
    when 6 then 'reversing' when 7 then 'reversed' when 8 then 'enquiring' when 9 then 'executed' end
$$;

create function ledger.cause_name(cause int2) returns text language sql immutable parallel safe as $$
  select case cause
    when 1 then 'accepted' when 2 then 'approval' when 3 then 'capture' when 4 then 'decline' when 5 then 'own-decline'
    when 6 then 'not-sent' when 7 then 'timeout' when 8 then 'recovery' when 9 then 'late' when 10 then 'acquirer-reversal'
    when 11 then 'completion' when 12 then 'reversal-acknowledged' when 13 then 'clearing-credit' when 14 then 'dead-letter'
    when 15 then 'late-approval' when 16 then 'advice-acknowledged' when 17 then 'rerouted' end
$$;

create view ledger.payment_v1 as
select p.shard, p.id, p.version, p.state as state_code, ledger.state_name(p.state) as state, p.kind, p.rrn, p.acquirer,
  p.terminal, p.merchant, p.link, p.amount, p.currency, p.approved, p.captured, p.captures, p.capture_date, p.approval, p.code,
  p.block, p.idx, e.at as accepted
from ledger.payment p
left join ledger.event e on e.shard = p.shard and e.payment = p.id and e.version = 1;

create view ledger.event_v1 as
select shard, payment, version, state as state_code, ledger.state_name(state) as state, cause as cause_code,
  ledger.cause_name(cause) as cause, at, block, idx
from ledger.event;

create view ledger.lane_v1 as
select shard, payment, number, link, kind, not_before, ended, ended_code from ledger.lane;

create view ledger.business_day_v1 as
select d.shard, d.day, b.at as opened_at, d.closed_block is not null as closed
from ledger.business_day d
join ledger.block b on b.shard = d.shard and b.number = d.opened_block;

create view ledger.account_v1 as
select shard, id, code, currency, floor_minor, posted_debit, posted_credit, pending_debit,
  posted_credit - posted_debit as net_credit, posted_credit - posted_debit - pending_debit as available, version
from ledger.account;

-- Debits and credits over all accounts; `difference` is zero, or money was made or lost.
create view ledger.trial_balance_v1 as
select currency, count(*) as accounts, sum(posted_debit) as debit, sum(posted_credit) as credit,
  sum(posted_debit) - sum(posted_credit) as difference, sum(pending_debit) as pending
from ledger.account
group by currency;

-- Everything that clearing needs of an item. `facts` are those of COMMIT A as JSON with the sealed
-- card, and with the egress of the last route; what was kept as evidence is the payment's latest.
create view ledger.capture_v1 as
select c.shard, c.seq, c.payment, c.number, c.date, c.kind, c.clearing, c.network, c.amount, c.currency,
  p.kind as payment_kind, ledger.state_name(p.state) as state, p.rrn, p.acquirer, p.terminal, p.merchant,
  p.amount as requested, p.approved, p.approval, p.code,
  coalesce(f.facts #>> '{egress,local}', f.facts #>> '{head,local}') as local_time,
  e.network_id, e.settlement_date, e.avs_result, e.cvv_result, e.authentication_result, e.response_icc,
  e.merchant_category, e.entry_mode, e.condition, e.pos_data, e.eci, e.card_sequence, e.acceptor,
  e.emv_9f26, e.emv_9f27, e.emv_9f10, e.emv_9f37, e.emv_9f36, e.emv_95, e.emv_9a, e.emv_9c, e.emv_9f02, e.emv_5f2a,
  e.emv_82, e.emv_9f1a, e.emv_9f03, e.emv_9f33, e.emv_9f34, e.emv_9f35, e.emv_9f1e, e.emv_84, e.emv_9f09, e.emv_9f41,
  f.facts, c.block, c.idx
from ledger.capture c
join ledger.payment p on p.shard = c.shard and p.id = c.payment
join ledger.item i on i.shard = p.shard and i.block = p.block and i.idx = p.idx
left join ledger.item r on r.shard = p.shard and r.block = p.egress_block and r.idx = p.egress_idx
cross join lateral (
  select case when r.body is null then i.body::json #> '{payment,open,facts}'
    else jsonb_set(i.body::jsonb #> '{payment,open,facts}', '{egress}', r.body::jsonb #> '{payment,change,egress}')::json
    end as facts
) f
left join lateral (
  select v.* from ledger.evidence v
  where v.shard = c.shard and v.payment = c.payment
  order by v.block desc, v.idx desc limit 1
) e on true;

grant select on ledger.payment_v1, ledger.event_v1, ledger.lane_v1, ledger.business_day_v1, ledger.account_v1,
  ledger.trial_balance_v1, ledger.capture_v1 to switchyard_runtime;
