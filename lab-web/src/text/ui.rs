//! The words of the frame: bars, buttons, panels, states.

use super::Text;

macro_rules! texts {
    ($($name:ident = $en:literal, $ja:literal;)*) => {
        $(pub(crate) const $name: Text = Text::new($en, $ja);)*

        /// Every text of the frame, for the test that both languages are there.
        #[cfg(test)]
        pub(crate) const ALL: &[Text] = &[$($name),*];
    };
}

texts! {
    BRAND = "Cache Lab", "Cache Lab";
    STEP_PREDICT = "Predict", "予想する";
    STEP_FAIL = "See it fail", "失敗を見る";
    STEP_STEP = "Step through", "1つずつ追う";
    STEP_HOLD = "Make it hold", "対策する";
    STEP_REAL = "Verify on real", "実機で検証";
    STEPS_LABEL = "Lesson steps", "レッスンの段階";
    TAB_STORY = "Story", "ストーリー";
    TAB_TEST = "Test", "テスト";
    TAB_CODE = "Code", "コード";
    TAB_POLICY = "Policy", "ポリシー";
    TAB_EVENTS = "Events", "イベント";
    TABS_LABEL = "Panels", "パネル";
    WORLD_LABEL = "World", "実行環境";
    SIMULATOR = "Simulator", "シミュレーター";
    REAL_CLUSTER = "Real cluster", "実クラスター";
    SIM_SHORT = "Sim", "シム";
    REAL_SHORT = "Real", "実機";
    LANGUAGE = "Language", "言語";
    THEME = "Light or dark", "明るさの切り替え";
    SHARE = "Share", "共有";
    SHARED = "Link copied", "リンクをコピーしました";
    SHARE_BY_HAND = "The browser gives this page no clipboard. This link opens the same view; copy it:",
        "ブラウザーがクリップボードの使用を許可していません。このリンクをコピーしてください（同じ画面が開きます）。";
    SHARE_LINK = "Link to this view", "この画面へのリンク";
    QUOTED = "“{}”", "「{}」";
    LIST_COMMA = ", ", "、";
    LINK_LESSON = "This lab has no lesson {} that can be run; the first one is shown.",
        "このラボで実行できるレッスンに{}はありません。最初のレッスンを表示しています。";
    LINK_IGNORED = "Not understood in the link, and left out: {}.", "リンクの次の部分は読み取れなかったため、無視しました：{}。";
    SKIP = "Skip to the lesson", "レッスンへ移動";
    COURSE = "Course", "コース";
    MENU = "Course menu", "コースの目次";
    GREEN_OF = "{} of {} green", "{} / {} が緑";
    COMING = "coming", "準備中";
    SANDBOX = "Sandbox", "サンドボックス";
    MARK_TODO = "To do", "未着手";
    MARK_RED = "Red seen", "赤を確認";
    MARK_GREEN = "Green", "緑";
    MARK_REAL = "Real cluster", "実機で検証";
    PROGRESS = "My progress", "学習の記録";
    PROGRESS_EXPORT = "Export", "書き出す";
    PROGRESS_IMPORT = "Import", "読み込む";
    PROGRESS_RESET = "Reset", "消去";
    PROGRESS_SURE = "Forget every prediction and mark? This cannot be undone; export first to keep them.",
        "すべての予想と印を消しますか？元には戻せません。残すには先に書き出してください。";
    PROGRESS_IMPORTED = "The progress was taken in; nothing that was here is lost.", "学習の記録を読み込みました。元からの記録はそのままです。";
    PROGRESS_KEPT = "Nothing was changed.", "何も変更していません。";
    PROGRESS_TOO_BIG = "The file has more than {} kB, which no progress has.", "ファイルが {} kB を超えています。学習の記録ではありません。";
    PROGRESS_UNREADABLE = "This is not exported progress: {}.", "書き出した学習の記録ではありません：{}。";
    PROGRESS_FORMAT = "The file has format {}, which this lab does not read.", "形式 {} は、このラボでは読めません。";
    PROGRESS_LESSON = "The file names a lesson that this lab does not have: {}.", "このラボにないレッスンが含まれています：{}。";
    PROGRESS_ANSWER = "The file names an answer that the question of {} does not have.", "{} の質問にない答えが含まれています。";
    NOT_KEPT = "This browser does not keep your progress (its storage is blocked or full, or holds something else in its place). Export it under “My progress” before you leave.",
        "このブラウザーには学習の記録を保存できません（保存がブロックされているか、容量がいっぱいか、別のデータがあります）。ページを離れる前に「学習の記録」から書き出してください。";
    CANCEL = "Cancel", "やめる";
    CHAPTER_FRESHNESS = "Freshness", "鮮度";
    CHAPTER_HERDS = "Herds and locks", "殺到とロック";
    CHAPTER_CONSISTENCY = "Consistency", "一貫性";
    CHAPTER_FAILURE = "Failure", "障害";
    CHAPTER_GROWTH = "Growth", "拡張";
    CHAPTER_SHORT = "Ch. {}", "第{}章";
    FAULTS = "Faults", "障害";
    NO_FAULT = "none in force", "発生中のものはなし";
    FAULT_DELAY_BUS = "Bus to {} ", "バス → {} ";
    FAULT_LINK = "{} to {} ", "{} → {} ";
    FAULT_DELAY_BUS_ALL = "Bus delay to {} servers ", "{} 台へのバス遅延 ";
    FAULT_CUT = "cut", "切断";
    FAULT_SILENT = "silent", "無応答";
    FAULT_KILLED = "killed", "強制終了";
    FAULT_PAUSED = "paused", "一時停止";
    FAULT_HELD = "held back", "保留";
    FAULT_RESET = "reset", "リセット";
    FAULT_NO_REPLAY = "does not replay", "再生停止";
    FAULT_SKEW = "clock {} ms", "時計 {} ms";
    LEGEND = "Legend", "凡例";
    LEGEND_FRESH = "fresh", "最新";
    LEGEND_STALE = "stale", "古い";
    LEGEND_GONE = "expired", "期限切れ";
    LEGEND_MESSAGE = "message", "メッセージ";
    LEGEND_CUT = "cut", "切断";
    STAGE = "Topology at {} ms", "{} ms 時点の構成";
    CLIENTS = "Clients", "クライアント";
    BALANCER = "Balancer", "バランサー";
    BALANCER_HOW = "requests", "振り分け率";
    SERVERS = "Servers", "サーバー";
    SERVERS_HOW = "L1 in process", "各プロセス内";
    BUS = "Bus", "バス";
    BUS_HOW = "pub/sub", "pub/sub";
    REDIS = "Redis", "Redis";
    POSTGRES = "Postgres", "Postgres";
    L1_KEYS = "L1 · {} [key|keys]", "L1 · {} 件";
    RUNNING_WORD = "running", "実行中";
    DOWN_WORD = "down", "停止";
    COMPUTING = "{} computing", "{} 件を計算中";
    WAITING = "{} waiting", "{} 件が待機";
    OPEN_REQUESTS = "{} open", "処理中 {} 件";
    HITS = "L1 hits {}", "L1 ヒット {}";
    MISSES = "misses {}", "ミス {}";
    QUEUED = "DB queue {}", "DB 待ち {}";
    NO_VALUE = "no value", "値なし";
    FRESH_TAG = "fresh · {}", "最新 · {}";
    STALE_TAG = "{} · {} since commit", "{} · コミットから {}";
    EXPIRED_TAG = "expired {} ago", "{}前に期限切れ";
    DROPPED_TAG = "dropped {} ago", "{}前に破棄";
    EMPTY_TAG = "nothing cached yet", "まだ何もない";
    LOST_TAG = "its memory is gone", "メモリー上のデータは消失";
    ABSENT = "no row", "行なし";
    MASTER = "master", "マスター";
    REPLICA = "replica", "レプリカ";
    IN_SYNC = "in sync", "同期済み";
    BEHIND = "{} B behind", "{} B 遅れ";
    KEYS = "{} [key|keys]", "{} 件のキー";
    LEASE_TAKEN = "taken", "取得済み";
    SLOT = "slot {}", "スロット {}";
    LANDS_IN = "lands in {}", "{}後に到着";
    CUT = "cut", "切断";
    SERVER_NODE_FRESH = "{}, {}, {}, {}, fresh", "{}、{}、{}、{}、最新";
    SERVER_NODE_STALE = "{}, {}, {}, {}, stale since a newer version was committed {} ago",
        "{}、{}、{}、{}、新しいバージョンのコミットから {} のあいだ古いまま";
    STORE_NODE_BEHIND = "{}, {}, {}, {}, behind", "{}、{}、{}、{}、遅れ";
    SERVER_NODE_NONE = "{}, {}, no value", "{}、{}、値なし";
    CLIENT_BLOCK = "{} [client|clients] of {}: {} fresh, {} stale, {} failed, {} waiting", "{} 件のクライアント（{}）：最新 {}、古い {}、失敗 {}、待ち {}";
    TO_START = "To start", "先頭へ";
    STEP_BACK = "Step back", "1つ戻る";
    PLAY = "Play", "再生";
    PAUSE = "Pause", "一時停止";
    STEP_ON = "Step", "1つ進む";
    TO_END = "To end", "末尾へ";
    SPEED = "Speed", "速さ";
    EVENT_OF = "event **{}** of {}", "イベント **{}** / {}";
    SEED = "seed **{}**", "シード **{}**";
    TIMELINE = "Timeline", "タイムライン";
    TIMELINE_AT = "{} ms, event {} of {}", "{} ms、イベント {} / {}";
    TIMELINE_VEILED = "{} ms, event {}; the rest is hidden", "{} ms、イベント {}（この先は隠れています）";
    EVENT_VEILED = "event **{}**", "イベント **{}**";
    FOLDED = "{} folded", "{} 省略";
    ACKNOWLEDGED = "write acknowledged", "書き込み ACK";
    SIM_LINE = "simulator", "シム";
    SIM_OUTLINE = "simulator, same policy", "シミュレーター（同条件）";
    VEIL = "The rest of the run is hidden until you predict", "予想するまで、この先は隠れています";
    BANNER = "This test should fail. Your job is to find out why.", "このテストは失敗するはずです。なぜ失敗するのかを突き止めてください。";
    BANNER_GREEN = "Under this policy the test holds. Choose the lesson's own policy to see it fail.",
        "このポリシーではテストが通ります。失敗を見るには、レッスンのコードのポリシーに戻してください。";
    BANNER_BACK = "Back to the lesson's code", "レッスンのコードに戻す";
    PREDICT = "Predict", "予想";
    RUN_AND_REVEAL = "Run and reveal", "実行して答えを見る";
    HINT = "Hint", "ヒント";
    ENTER_RUNS = "runs", "で実行";
    YOUR_GUESS = "Your guess", "あなたの予想";
    WHAT_HAPPENED = "What happened", "実際の結果";
    GUESS_AND_TRUTH = "Your guess, and what happened", "予想どおりの結果";
    QUESTION_CLOSED = "You went on without a prediction, so this question is closed. What happened is marked.",
        "予想せずに先へ進んだため、この質問は締め切りました。実際の結果に印を付けています。";
    WHY = "Why.", "理由。";
    THE_TEST = "The failing test", "失敗するテスト";
    THE_TEST_HOLDS = "The test", "テスト";
    FAILS = "fails", "失敗";
    HOLDS = "holds", "成功";
    OPEN = "open", "未確定";
    SEEN = "seen in all", "全体の観測";
    WANTED = "wanted", "期待";
    WHEN = "first at", "最初の時刻";
    AT_MOST = "at most {}", "{} 以下";
    AT_LEAST = "at least {}", "{} 以上";
    EXACTLY = "exactly {}", "ちょうど {}";
    OUT_OF = "{} of {}", "{} / {}";
    GO_TO_VIOLATION = "Go to the first bad event", "最初の違反へ移動";
    ONLY_CAUSES = "Only its causes", "原因だけを表示";
    WHY_IT_FAILS = "Why it fails.", "失敗の理由。";
    NO_SOURCE = "The source of {} is not embedded in this build.", "{} のソースはこのビルドに含まれていません。";
    NO_LINE = "No line of the cache is at work at this event. Step on, or choose a request below.",
        "このイベントで動いているキャッシュの行はありません。先へ進むか、下のリクエストを選んでください。";
    WAITS_HERE = "waits here since {}", "{} からここで待機";
    WAS_HERE = "was here at {}", "{} にここを実行";
    WILL_BE_HERE = "will be here at {}", "{} にここへ来ます";
    ALSO_HERE = "is here", "もここにいます";
    HERE_AND_NOW = "Here and now", "いま、ここ";
    OPERATION = "request", "リクエスト";
    KEY = "key", "キー";
    NEXT = "next", "次";
    FOLLOW = "Follow a request", "追跡するリクエスト";
    FOLLOW_EVENT = "the one of the current event", "現在のイベントのリクエスト";
    POLICY = "Policy", "ポリシー";
    POLICY_LEAD = "Change what the servers do. The faults stay.", "サーバーの動作を変えます。障害はそのままです。";
    PRESETS = "Presets", "プリセット";
    KNOBS = "Faults and load", "障害と負荷";
    SEEDS_GREEN = "seeds green", "シードが緑";
    SEEDS_TRIED = "{} of {}", "{} / {}";
    SEEDS_UNSHOWN = "Seeds that showed nothing (○): {}. The situation that the lesson is about did not arise, so they count neither as green nor as red.",
        "{} シードでは何も確かめられません（○）。レッスンの状況が起きなかったため、緑にも赤にも数えません。";
    STOP = "Stop", "停止";
    HOLD_AGAIN = "Try {} [seed|seeds]", "{} シードを試す";
    OPEN_RED = "Open red seed {}", "赤いシード {} を開く";
    SCHEDULES = "{} distinct [schedule|schedules]", "異なる実行順 {} 通り";
    WORKER_NONE = "There is no background worker (it did not start, or the browser ended it); the page computes in small slices instead.",
        "バックグラウンドワーカーがない（開始できないか、ブラウザーに終了された）ため、ページ上で少しずつ計算します。";
    WORKER_BROKE = "The background worker broke off. Retry starts a new one.",
        "バックグラウンドワーカーが異常終了しました。「再試行」で新しく開始します。";
    WHAT_IT_COSTS = "What it costs", "コスト";
    LIMITS = "What it does not survive", "このポリシーが耐えられない障害";
    LIMITS_LEAD = "Found by letting more faults strike this very run. What no longer holds then:",
        "この実行にさらに障害を起こして見つけたものです。そのとき成り立たなくなる条件：";
    NO_LIMITS = "No further fault that was tried breaks its promise.",
        "さらに障害を起こしても、約束が破られた実行はありませんでした。";
    BEFORE = "before", "変更前";
    NOW = "now", "変更後";
    UNDO = "Undo", "元に戻す";
    RESET = "Reset", "リセット";
    FILTER = "Filter: actor, key or verb", "絞り込み：場所・キー・動詞";
    READS_ONLY = "answers", "応答";
    FOCUS_ONLY = "only {}", "{} のみ";
    TIME = "time", "時刻";
    ACTOR = "actor", "場所";
    EVENT = "event", "イベント";
    DETAIL = "detail", "内容";
    NO_EVENTS = "No event matches the filter.", "条件に合うイベントはありません。";
    EVENTS_TITLE = "Events of this run", "この実行のイベント";
    EVENTS_REAL = "Recorded on the real cluster", "実クラスターでの記録";
    EVENTS_FILE = "A recording of a real run, from a file", "ファイルから開いた実機の記録";
    FROM_FILE = "It earns no mark: only a run that this page follows on a real cluster does.",
        "進捗の印は付きません。印が付くのは、このページが実クラスターで見届けた実行だけです。";
    SAME_STORY = "Same story as the simulator", "シミュレーターとの一致";
    CHECKS_AGREE = "All checks agree", "すべてのチェックが一致";
    CHECKS_DIFFER = "Checks differ: {}", "チェックが不一致：{}";
    SAME_ORDER = "Same order", "同じ順序";
    ORDER_DIFFERS = "Order differs", "順序が異なる";
    IN_BOTH = "In both, order not compared", "両方にある（順序は未比較）";
    ONLY_REAL = "Only in real", "実機のみ";
    ONLY_SIM = "Only in the simulator", "シミュレーターのみ";
    N_OF_SHOWN = "{} of {} shown", "{} 件を表示（全 {} 件）";
    N_EVENTS = "{} [event|events]", "{} 件";
    VERDICT_NOT_RUN = "Not run yet", "未実行";
    VERDICT_PREDICT_FIRST = "predict first", "まず予想を";
    VERDICT_RUNNING = "Running", "実行中";
    VERDICT_SO_FAR = "so far, {} of {} failed", "ここまで {} / {} が失敗";
    VERDICT_RED = "Red", "赤";
    VERDICT_RED_DETAIL = "{} of {} [check|checks] failed", "{} / {} のチェックが失敗";
    VERDICT_GREEN = "Green", "緑";
    VERDICT_GREEN_REAL = "Green on real", "実機で緑";
    VERDICT_RED_REAL = "Red on real", "実機で赤";
    VERDICT_GREEN_DETAIL = "{} of {} [check passes|checks pass]", "{} / {} のチェックが成功";
    VERDICT_UNPROVEN = "Not shown", "再現せず";
    VERDICT_UNPROVEN_DETAIL = "the situation did not arise", "状況が起きませんでした";
    VERDICT_SPOKEN = "Verdict: {}, {}.", "判定：{}、{}。";
    SEEDS_SPOKEN = "{} of {} [seed|seeds] green.", "{} / {} シードが緑。";
    NOT_RUN = "not run", "未実行";
    SO_FAR = "so far", "ここまで";
    INFORMS = "informs", "参考";
    INFORMS_HOW = "This informs only: the goal does not need it.", "参考の値です。ゴールには含まれません。";
    FIRST_AT = "at {} ms", "{} ms で";
    CHECKS_ALL = "All {} checks", "全 {} 件";
    CHECKS_LESS = "Less", "閉じる";
    RECORDED_RUN = "Recorded run", "記録された実行";
    REAL_ABSENT = "No cluster here. Start one with {} ({}), or replay a recording.",
        "ここにクラスターはありません。{}（または {}）で開始するか、記録を再生してください。";
    REAL_OPEN = "Open a recorded trace", "記録したトレースを開く";
    REAL_RETRY = "Look again", "もう一度探す";
    REAL_RUN = "Run on the real cluster", "実クラスターで実行";
    REAL_LEAD = "The same scenario and policy, on a real Redis Cluster and PostgreSQL.", "同じシナリオとポリシーを、本物の Redis Cluster と PostgreSQL で実行します。";
    REAL_EMPTY = "Nothing recorded yet. This is the cluster that the run will start.",
        "まだ記録はありません。これが実行で起動するクラスターです。";
    REAL_TITLE = "Verify on real", "実機で検証する";
    REAL_RECORDING = "Recording, {} [event|events]", "記録中、{} イベント";
    REAL_LOOKING = "Looking for a server at {} …", "{} のサーバーを探しています…";
    REAL_FOUND = "A lab server answers at {}.", "{} でラボのサーバーが応答しています。";
    REAL_FAILED = "The real run did not come to an end.", "実機での実行が完了しませんでした。";
    REAL_BAD_FILE = "{} cannot be opened.", "{} を開けません。";
    REAL_FILE_BIG = "It has {} MB; at most {} MB are read.", "{} MB あります。読めるのは {} MB までです。";
    REAL_INTERRUPTED = "The connection broke off; trying again …", "接続が切れました。再接続しています…";
    REAL_STOPPED = "The run was given up. The server cleans up after it; the next one may have to wait for that.",
        "実行を中止しました。サーバーが後片付けをするので、次の実行は少し待つことがあります。";
    REAL_LOST = "The lab server was lost during the run (events so far: {}). A run with a hole would show what did not happen, so it was dropped. Start the server again, look again, and run once more.",
        "{} 件のイベントを受け取ったところで、ラボのサーバーとの接続が失われました。途中の抜けた記録は起きていないことを見せてしまうため、破棄しました。サーバーを起動し直し、もう一度探してから実行してください。";
    REAL_GARBLED = "The server sent what is no event, or too many. The page and the server may be of different versions: reload the page.",
        "サーバーからイベントでないもの、または多すぎるイベントが届きました。ページとサーバーのバージョンが異なるかもしれません。ページを再読み込みしてください。";
    REAL_ELSEWHERE = "The real run has come to its end. It belongs to the policy and settings that it was started with; go back to them to see it.",
        "実機での実行が終わりました。これは開始時のポリシーと設定のものです。元に戻すと見られます。";
    FILE_UNREADABLE = "The browser could not read it as text.", "ブラウザーがテキストとして読めませんでした。";
    FILE_EMPTY = "There is no event in it.", "イベントが 1 件もありません。";
    FILE_NO_HEADER = "Its first line does not say which run it is. Record it anew with “lab run SCENARIO --world real --trace FILE”.",
        "最初の行に、どの実行の記録かが書かれていません。「lab run SCENARIO --world real --trace FILE」で記録し直してください。";
    FILE_FORMAT = "It has format {}, and this lab reads format {}. Record it anew with this lab.",
        "形式 {} の記録ですが、このラボが読めるのは形式 {} です。このラボで記録し直してください。";
    FILE_BAD_HEADER = "Its first line cannot be read: {}.", "最初の行を読めません：{}。";
    FILE_IMPOSSIBLE = "The run that it names cannot be: {}.", "記録にある設定では実行できません：{}。";
    FILE_MANY = "It has {} [event|events]; at most {} are read.", "イベントが {} 件あります。読めるのは {} 件までです。";
    FILE_LONG_LINE = "Line {} is longer than {} bytes.", "{} 行目が {} バイトを超えています。";
    FILE_BAD_EVENT = "Line {} is no event: {}.", "{} 行目はイベントではありません：{}。";
    FILE_CUT_OFF = "It holds {} [event|events] and its first line says {}: it was cut off or changed.",
        "イベントは {} 件ですが、最初の行には {} 件とあります。途中で切れたか、書き換えられています。";
    FILE_CHANGED = "Its lines do not have the digest that the first one says: it was changed.",
        "内容が最初の行のダイジェストと一致しません。書き換えられています。";
    FILE_UNFINISHED = "The run in this recording has no verdict: {}", "この記録の実行には判定がありません：{}";
    FILE_SIMULATED = "This is a recording of the simulator, which has made the same run again.",
        "これはシミュレーターの記録です。シミュレーターで同じ実行を再現しました。";
    FILE_SIMULATED_DIFFERS = "This is a recording of the simulator, but the run that the simulator makes of it now differs (the lab has changed since). What is shown is the run of now.",
        "これはシミュレーターの記録ですが、いまのシミュレーターでは実行内容が異なります（ラボが更新されています）。表示しているのは、いまの実行です。";
    REAL_FILE_HOW = "Write one with", "次のコマンドで作れます。";
    REAL_FILE_UNNAMED = "A recording can be made with “lab run” where the policy is one of the presets; this one has no name there.",
        "「lab run」で記録できるのはプリセットのポリシーだけです。いまのポリシーには、そこで使う名前がありません。";
    SIM_STOPPED = "The simulator did not finish this run.", "シミュレーターはこの実行を完了できませんでした。";
    RETRY = "Retry", "再試行";
    COMPUTING_RUN = "Computing the run …", "実行を計算しています…";
    RUN_CHANGED = "This run differs from the one that was shared (the lab has changed since).", "共有されたときと実行内容が異なります（ラボが更新されています）。";
    BROKEN = "The lab has stopped", "ラボが停止しました";
    BROKEN_KEPT = "A mistake of the lab has ended it. Your progress is kept in this browser; reloading opens this very view again.",
        "ラボの不具合により、処理を続けられなくなりました。学習の記録はこのブラウザーに残っています。再読み込みすると、この画面から再開できます。";
    BROKEN_RELOAD = "Reload", "再読み込み";
    BROKEN_ANEW = "Begin the lesson anew", "レッスンを最初から始める";
    BROKEN_REPORT = "If it happens again, these two lines tell where:", "繰り返し起きる場合は、次の 2 行を添えて報告してください。";
    DISMISS = "Dismiss", "閉じる";
    COMING_LESSON = "This lesson is coming. These can be run now: {}.", "このレッスンは準備中です。いま実行できるのは{}です。";
    KEYS_TITLE = "Keys and legend", "キー操作と凡例";
    KEYS_ON = "Single-letter keys", "1文字キー";
    KEYS_SPACE = "play / pause", "再生 / 一時停止";
    KEYS_ARROWS = "step, step back", "進む・戻る";
    KEYS_SHIFT = "next, previous event of the same actor", "同じ場所の次・前のイベント";
    KEYS_HOME = "start, end", "先頭・末尾";
    KEYS_N = "next, previous failed check or stale read", "次・前の失敗や古い読み取り";
    KEYS_SPEED = "slower, faster", "遅く・速く";
    KEYS_STEPS = "lesson step", "レッスンの段階";
    KEYS_TABS = "Story, Test, Code, Policy, Events", "ストーリー・テスト・コード・ポリシー・イベント";
    KEYS_WORLD = "simulator / real cluster", "シミュレーター / 実クラスター";
    KEYS_VIEW = "lanes, or the space-time diagram", "レーンと時空図の切り替え";
    VIEW_LABEL = "Timeline view", "タイムラインの表示";
    VIEW_LANES = "Lanes", "レーン";
    VIEW_SPACE_TIME = "Space-time", "時空図";
    COMMIT = "commit {}", "{} をコミット";
    WRITE_SENT = "write", "書き込み";
    COMMIT_IN_PAST = "The commit of {} is in the past of this event", "{} のコミットはこのイベントの過去にある";
    COMMIT_NOT_IN_PAST = "No chain of messages leads from the commit of {} to this event",
        "{} のコミットからこのイベントへ至るメッセージの連鎖はない";
    KEYS_ENTER = "run and reveal", "実行して答えを見る";
    KEYS_SLASH = "filter events", "イベントを絞り込む";
    KEYS_HELP = "this list", "この一覧";
    CLOSE = "Close", "閉じる";
    RESULTS = "Results", "結果";
    FIG_DB_QUERIES = "DB queries", "DB クエリ";
    FIG_REDIS_CALLS = "Redis calls", "Redis 呼び出し";
    FIG_BUS_NOTICES = "Bus notices", "バス通知";
    FIG_L1_HIT = "L1 hit rate", "L1 ヒット率";
    FIG_HIT = "Hit rate", "ヒット率";
    FIG_LATENCY = "Latency p50 / p99", "遅延 p50 / p99";
    FIG_READ_P50 = "Read latency p50", "読み取り遅延 p50";
    FIG_READ_P99 = "Read latency p99", "読み取り遅延 p99";
    FIG_WRITE = "Write latency", "書き込み遅延";
    FIG_STALE_READS = "Stale reads", "古い読み取り";
    FIG_STALENESS_SHORT = "Max staleness", "最大の古さ";
    FIG_STALENESS = "Max staleness since ack", "最大の古さ（ACK から）";
    FIG_COMPUTATIONS = "Computations", "計算回数";
    FIG_WAITER = "Waiter latency", "待機側の遅延";
}
