//! The sentences in Japanese.

use lab_core::cluster::Role;
use lab_core::trace::{Kind, NoticeKind, Outcome, RequestKind, Verb, WaitFor, Why};
use lab_core::value::{Tier, Value};
use lab_core::world::Fault;

use super::{Context, is_lock, redis_count};
use crate::text::{Lang, lesson, names, span};

/// The event in one Japanese sentence.
pub(super) fn sentence(context: &Context<'_>) -> String {
    let (who, key) = (context.event.actor, &context.key);
    match &context.event.kind {
        Kind::Phase { name } => match names::begins(context.scenario, name, Lang::Ja) {
            Some(sentence) => sentence.to_owned(),
            None => format!("シナリオは「{name}」の段階に入ります。"),
        },
        Kind::Injected { fault } => injected(*fault),
        Kind::Requested { request, server } => match request {
            RequestKind::Read => format!("**{who}** が **{server}** に {key} の読み取りを頼みます。"),
            RequestKind::Write => format!("**{who}** が **{server}** に {key} の新しい値を送ります。"),
            RequestKind::Compute => format!("**{who}** が **{server}** に重い計算 {key} を頼みます。"),
            RequestKind::Forget => format!("**{server}** に {key} を L1 から破棄するよう指示します。"),
        },
        Kind::Received { request } => match request {
            RequestKind::Read => format!("**{who}** が {key} の読み取りを受け取り、まず自分の L1 を見ます。"),
            RequestKind::Write => format!("**{who}** が {key} の書き込みを受け取ります。"),
            RequestKind::Compute => format!("**{who}** が {key} のリクエストを受け取ります。"),
            RequestKind::Forget => format!("**{who}** が {key} を破棄する指示を受け取ります。"),
        },
        Kind::Answered { outcome, value, tier } => answered(context, outcome, value.as_ref(), *tier),
        Kind::Completed { outcome, value, .. } => completed(context, outcome, value.as_ref()),
        Kind::Called { to, verb } => format!("**{who}** が{}。", call(*verb, key, &to.to_string())),
        Kind::Queued { ahead: 0 } => {
            format!("**{who}** には DB への空き接続がなく、次の順番を待ちます。")
        }
        Kind::Queued { ahead } => {
            format!("**{who}** には DB への空き接続がなく、前に **{ahead}** 件が並んでいます。")
        }
        Kind::Served { verb, outcome, value, .. } => served(context, *verb, outcome, value.as_ref()),
        Kind::Returned { verb, outcome } => {
            format!("**{who}** に {} の応答が届きます：{}。", verb.as_str(), result(outcome))
        }
        Kind::Replayed { value, .. } => {
            let holds = context.content(value.as_ref(), "なし");
            format!("**{who}** が変更を再生し、{key} = **{holds}** になります。")
        }
        Kind::Delivered { notice, from } => match notice {
            NoticeKind::Invalidate => format!("**{from}** からの {key} の無効化が **{who}** に届きます。"),
            NoticeKind::Filled => {
                format!("**{who}** は、{key} がキャッシュされたことを **{from}** の通知で知ります。")
            }
            NoticeKind::Acknowledge => {
                format!("**{who}** に、古い {key} を破棄したという **{from}** の ACK が届きます。")
            }
            NoticeKind::Beat => format!("**{from}** のハートビートが **{who}** に届きます。"),
        },
        Kind::GapNoticed { from, missed } => {
            format!("**{who}** は、**{from}** の通知を **{missed}** 件取りこぼしたことに気づきます。")
        }
        Kind::Started { topology } => format!(
            "サーバー群が起動します。アプリサーバー **{}** 台、Redis（マスター + レプリカ）**{}** 台、PostgreSQL（プライマリ + \
             レプリカ）**1 + {}** 台の構成です。",
            topology.servers,
            redis_count(topology),
            topology.postgres_replicas
        ),
        Kind::RoleChanged { role: Role::Master } => {
            format!(
                "**{who}** が選出され、レプリケーション済みのデータを引き継いで、このシャードのマスターに昇格します。"
            )
        }
        Kind::RoleChanged { role: Role::Replica } => {
            format!("**{who}** は別のノードがマスターになったことを知り、レプリカに降格します。")
        }
        inside => within(context, inside),
    }
}

fn injected(fault: Fault) -> String {
    if fault.mends() {
        return format!("シナリオが障害を取り除きます：{}。", lesson::place(fault, Lang::Ja));
    }
    format!("シナリオが障害を起こします：{}。", lesson::fault(&fault, Lang::Ja))
}

/// What happens inside a server.
fn within(context: &Context<'_>, kind: &Kind) -> String {
    let (who, key) = (context.event.actor, &context.key);
    match kind {
        Kind::L1Hit => match context.stale_ns {
            Some(ns) => {
                format!("**{who}** の L1 に {key} がありますが、DB では **{}** 前に更新済みです。", span(ns))
            }
            None => format!("**{who}** の L1 に {key} があります。"),
        },
        Kind::L1Miss => format!("**{who}** の L1 に {key} はありません。"),
        Kind::L1Unfit { why: reason } => {
            format!("**{who}** の L1 に {key} はありますが使えません：{}。", why(*reason))
        }
        Kind::L1Stored { value, ttl_ms } => format!(
            "**{who}** が {key} = **{}** を L1 に最長 {} 保持します。",
            context.content(value.as_ref(), "「行なし」"),
            span(ttl_ms * 1_000_000)
        ),
        Kind::L1Refused { why: reason } => {
            format!("**{who}** は {key} を L1 に入れません：{}。", why(*reason))
        }
        Kind::L1Dropped { why: reason, held: true } => {
            format!("**{who}** が {key} を L1 から破棄します：{}。", why(*reason))
        }
        Kind::L1Dropped { why: reason, held: false } => {
            format!("**{who}** は {key} を破棄しようとしますが、L1 にありません（{}）。", why(*reason))
        }
        Kind::L1Flushed { why: reason } => format!("**{who}** が L1 を空にします：{}。", why(*reason)),
        Kind::FlightLed => {
            format!("**{who}** では、{key} を待つリクエストを代表して、このリクエストが読みに行きます。")
        }
        Kind::FlightJoined => {
            format!("**{who}** では別のリクエストがすでに {key} を読んでいるので、それに相乗りします。")
        }
        Kind::FlightDetached => {
            format!("**{who}** は、以後の {key} の読み手を進行中の読み取りから切り離します。")
        }
        Kind::Waiting { on } => format!("**{who}** は{}を待ちます。", wait(*on)),
        Kind::Woken { on } => format!("**{who}** が再開します。{}を待っていました。", wait(*on)),
        Kind::ComputeStarted => format!("**{who}** が {key} の計算を始めます。"),
        Kind::Computed { .. } => format!("**{who}** が {key} の計算を終えました。"),
        Kind::Phase { .. }
        | Kind::Injected { .. }
        | Kind::Requested { .. }
        | Kind::Received { .. }
        | Kind::Answered { .. }
        | Kind::Completed { .. }
        | Kind::Called { .. }
        | Kind::Queued { .. }
        | Kind::Served { .. }
        | Kind::Returned { .. }
        | Kind::Replayed { .. }
        | Kind::Delivered { .. }
        | Kind::GapNoticed { .. }
        | Kind::Started { .. }
        | Kind::RoleChanged { .. } => unreachable!("told above"),
    }
}

fn answered(context: &Context<'_>, outcome: &Outcome, value: Option<&Value>, tier: Option<Tier>) -> String {
    let who = context.event.actor;
    match outcome {
        Outcome::Hit => {
            let holds = context.content(value, "なし");
            let from = tier.map_or("", tier_phrase);
            let late =
                context.stale_ns.map(|ns| format!("新しいバージョンのコミットから {} 後です。", span(ns)));
            let fails =
                if context.violates { "この答えでチェックが失敗します。" } else { "" };
            format!("**{who}** が{from} **{holds}** を返します。{}{fails}", late.unwrap_or_default())
        }
        Outcome::Negative => format!("**{who}** は、その行はないと答えます。"),
        Outcome::Done => format!("**{who}** が完了を返します。"),
        other => format!("**{who}** の応答：{}。", result(other)),
    }
}

fn completed(context: &Context<'_>, outcome: &Outcome, value: Option<&Value>) -> String {
    let who = context.event.actor;
    match (outcome, context.version) {
        (Outcome::Hit, _) if context.violates && context.stale_read => format!(
            "**{who}** は **{}** を受け取りますが、新しいバージョンの ACK が返ったあとです。チェックは失敗です。",
            context.content(value, "なし")
        ),
        (Outcome::Hit, _) if context.violates && context.behind => format!(
            "**{who}** は **{}** を受け取りますが、新しいバージョンがコミット済みです。チェックは失敗です。",
            context.content(value, "なし")
        ),
        (Outcome::Hit, _) => format!("**{who}** が **{}** を受け取ります。", context.content(value, "なし")),
        (Outcome::Done, Some(version)) => {
            format!("**{who}** に、書き込みが **{version}** として完了したと返ります。")
        }
        (Outcome::Done, None) => format!("**{who}** に完了が返ります。"),
        (other, _) => format!("**{who}** への応答：{}。", result(other)),
    }
}

fn served(context: &Context<'_>, verb: Verb, outcome: &Outcome, value: Option<&Value>) -> String {
    let (who, key) = (context.event.actor, &context.key);
    let holds = context.content(value, "なし");
    let what = if is_lock(verb) { "ロック" } else { "リース" };
    match (verb, outcome) {
        (Verb::Update, Outcome::Done) => format!("**{who}** が {key} = **{holds}** をコミットします。"),
        (Verb::Select, Outcome::Negative) => format!("**{who}** に行 {key} はありません。"),
        (Verb::Get, Outcome::Negative) => format!("**{who}** は {key} を「行なし」として持っています。"),
        (Verb::Select, Outcome::Hit) => format!("**{who}** が行 {key} = **{holds}** を読みます。"),
        (Verb::Set | Verb::SetIfNewer | Verb::ReplaceOlder | Verb::Fill, Outcome::Done) => {
            format!("**{who}** が {key} = **{holds}** を持つようになります。")
        }
        (Verb::ReplaceOlder, Outcome::Voided) => {
            format!(
                "**{who}** には置き換える {key} がありません。スロットは空のままで、あったリースは無効になります。"
            )
        }
        (Verb::Set | Verb::SetIfNewer | Verb::ReplaceOlder | Verb::Fill, Outcome::Refused) => {
            format!("**{who}** は {key} を拒否します。より新しい値があるか、リースが失われています。")
        }
        (Verb::Delete, _) => format!("**{who}** から {key} がなくなります。"),
        (Verb::Lock | Verb::Lease, Outcome::Granted(_)) => {
            format!("**{who}** が {key} の{what}を与えます。ほかに持ち主はいません。")
        }
        (Verb::Lock | Verb::Lease, Outcome::Held) => {
            format!("**{who}** は、{key} の{what}にはほかの持ち主がいると答えます。")
        }
        (Verb::Unlock, Outcome::Released) => format!("**{who}** が {key} のロックを解放します。"),
        (Verb::Unlock, Outcome::NotHeld) => {
            format!("**{who}** では、このトークンは {key} のロックの持ち主ではありません。")
        }
        (_, Outcome::Receivers(count)) => {
            format!("**バス**が {} を受け取り、**{count}** の購読者に配ります。", verb.as_str())
        }
        (_, Outcome::Hit) => format!("**{who}** に {key} = **{holds}** があります。"),
        (_, Outcome::Miss) => format!("**{who}** に {key} はありません。"),
        (_, other) => format!("**{who}** が {} に応じます：{}。", verb.as_str(), result(other)),
    }
}

fn call(verb: Verb, key: &str, to: &str) -> String {
    match verb {
        Verb::Get => format!(" **{to}** に {key} を問い合わせます"),
        Verb::Set => format!(" {key} を **{to}** に入れます"),
        Verb::SetIfNewer => format!("、より新しい値がなければ {key} を **{to}** に入れます"),
        Verb::ReplaceOlder => format!("、古い値があれば {key} を **{to}** の新しい値に置き換えます"),
        Verb::Delete => format!(" {key} を **{to}** から消します"),
        Verb::Lock => format!(" **{to}** で {key} のロックを取ろうとします"),
        Verb::Unlock => format!(" {key} のロックを **{to}** に返します"),
        Verb::Lease => format!(" **{to}** に {key} を、なければ値を入れるためのリースを求めます"),
        Verb::Fill => format!("、リースと引き換えに {key} を **{to}** に入れます"),
        Verb::PublishInvalidate => format!(" {key} の無効化を**バス**にパブリッシュします"),
        Verb::PublishFilled => format!(" {key} がキャッシュされたことを**バス**にパブリッシュします"),
        Verb::PublishAcknowledge => format!(" 古い {key} を破棄した ACK を**バス**で返します"),
        Verb::PublishBeat => " **バス**にハートビートを送ります".to_owned(),
        Verb::Select => format!(" **{to}** に行 {key} を問い合わせます"),
        Verb::Update => format!(" **{to}** の行 {key} を更新します"),
        Verb::Renew => format!(" **{to}** でメンバーの期限を延ばします"),
        Verb::Members => format!(" **{to}** に、稼働中のサーバーを問い合わせます"),
        Verb::Settle => format!(" **{to}** に書き込みがコミットされたかを問い合わせ、まだなら取り消します"),
        Verb::Outbox => format!(" **{to}** のアウトボックスを調べます"),
        Verb::Bar => format!(" **{to}** で、ACK を返さないメンバーを外します"),
        Verb::Leave => format!(" **{to}** にメンバーの期限を返します"),
    }
}

fn result(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Hit => "見つかりました".to_owned(),
        Outcome::Negative => "その行はありません".to_owned(),
        Outcome::Miss => "何もありません".to_owned(),
        Outcome::Done => "完了".to_owned(),
        Outcome::Refused => "拒否".to_owned(),
        Outcome::Granted(_) => "取得".to_owned(),
        Outcome::Held => "ほかの持ち主がいます".to_owned(),
        Outcome::Released => "解放".to_owned(),
        Outcome::NotHeld => "もう持ち主ではありません".to_owned(),
        Outcome::Receivers(count) => format!("{count} の購読者に配られました"),
        Outcome::Members(count) => format!("{count} 台が稼働中"),
        Outcome::Moved(node) => format!("スロットは {node} にあります"),
        Outcome::Failed(why) => format!("失敗（{why}）"),
        Outcome::Voided => "置き換えるものがありません".to_owned(),
        Outcome::Unknown => "応答がなく、実行されたかどうか不明です".to_owned(),
    }
}

fn tier_phrase(tier: Tier) -> &'static str {
    match tier {
        Tier::L1 => " L1 から",
        Tier::L2 => " Redis から",
        Tier::Database => " PostgreSQL から",
        Tier::Computed => "計算した",
    }
}

/// Why L1 did what it did.
pub(super) fn why(why: Why) -> &'static str {
    match why {
        Why::Invalidated => "無効化が届いた",
        Why::Written => "このサーバー自身が書いた",
        Why::Expired => "有効期限が切れた",
        Why::TooOld => "より新しい値が必要な読み取り",
        Why::EpochMoved => "値が届く前に無効化が来た",
        Why::NewerHeld => "L1 にはすでに新しいバージョンがある",
        Why::NoHit => "falsy な値（0 や空文字など）か「行なし」なので、ここではミス扱い",
        Why::L2Refused => "L2 が拒否したか、結果が不明",
        Why::LeaseRanOut => "サーバーのメンバー期限が切れた",
        Why::Gap => "通知を取りこぼした",
        Why::Silence => "バスからの通知が途絶えている",
        Why::Asked => "シナリオの指示",
    }
}

/// What is waited for.
pub(super) fn wait(on: WaitFor) -> &'static str {
    match on {
        WaitFor::Flight => "先に読んでいるリクエスト",
        WaitFor::Retry => "次のロックの試行",
        WaitFor::Push => "値がキャッシュされた通知",
        WaitFor::Acknowledgements => "稼働中の全サーバーの ACK",
    }
}
