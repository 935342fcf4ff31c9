//! What is said of servers that are named in every wrong way, as tables: the input, the words that must be said, and
//! those that must not.

use std::net::IpAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Longer than any limit, shorter than for ever.
const SOON: Duration = Duration::from_secs(20);

/// A passphrase, in pieces that would show where a URL is cut wrong.
const SECRETS: [&str; 4] = ["geheim", "ge", "heim", "12x"];

fn none() -> Passwords {
    Passwords::default()
}

fn redis_said(urls: &str) -> String {
    let urls: Vec<_> = urls.split(',').map(str::to_owned).collect();
    redis_nodes(&urls, &none()).expect_err(&urls.join(",")).to_string()
}

fn postgres_said(url: &str) -> String {
    postgres_hosts(url, &none(), &Notices::default())
        .err()
        .unwrap_or_else(|| panic!("{url} is taken"))
        .to_string()
}

fn named(url: &str) -> Vec<NamedHost> {
    postgres_hosts(url, &none(), &Notices::default()).expect(url)
}

/// A word must be said, as a word of its own or not.
fn expect(input: &str, said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{input}: {word:?} is missing: {said}");
    }
    let mut own = said.split(|letter: char| !letter.is_alphanumeric());
    let shown = own.find(|word| SECRETS.contains(word));
    assert_eq!(shown, None, "{input}: a piece of the password is shown: {said}");
}

#[test]
fn each_word_of_a_redis_url_acts_or_is_refused_by_name() {
    let cases: [(&str, &[&str]); 25] = [
        ("rediss://db:7000", &["rediss://", "no TLS", "tunnel"]),
        ("valkeys://db:7000", &["valkeys://", "tunnel"]),
        ("unix:///run/redis.sock", &["unix://", "redis://host:port"]),
        ("redis+unix:///run/redis.sock", &["TCP"]),
        ("localhost:7000", &["redis://"]),
        ("redis:geheim", &["redis://host:port"]),
        ("http://db:7000", &["redis://host:port"]),
        ("redis://db:7000/1", &["/1", "leave /1 out", "number 0"]),
        ("redis://db:7000/lab", &["number 0"]),
        ("redis://db:7000?db=1", &["db=", "leave it out"]),
        ("redis://db:7000?protocol=resp4", &["protocol=", "resp2 or resp3"]),
        ("redis://db:7000?ssl_cert_reqs=none", &["ssl_cert_reqs=", "tunnel"]),
        ("redis://db:7000?timeout=3", &["timeout=", "leave it out"]),
        ("redis://db:7000?password=geheim", &["password=", "redis://user:password@host"]),
        ("redis://db:7000#insecure", &["#"]),
        ("redis://u@db:7000", &["user without a password", "REDISCLI_AUTH"]),
        ("redis://u:12x/heim@db", &["%2F"]),
        ("redis://u:12x?heim@db", &["%3F"]),
        ("redis://u:12x#heim@db", &["%23"]),
        ("redis://u:12x,heim@db", &["%2C"]),
        ("redis://:100%ge@db", &["%", "%25"]),
        ("redis://:ge%x@db", &["%25"]),
        ("redis://:geheim@a,redis://b", &["log in differently"]),
        ("redis://db:99999", &["redis://host:port"]),
        ("redis://:geheim@", &["redis://host:port"]),
    ];
    for (urls, words) in cases {
        expect(urls, &redis_said(urls), words);
    }
    let cases = [
        ("redis://u:ge%40h%2F@db:7000/0", "db:7000", Some("u"), Some("ge@h/"), false),
        ("redis://:p%25@[::1]:7000/", "[::1]:7000", None, Some("p%"), false),
        ("valkey://db?protocol=resp3", "db:6379", None, None, true),
    ];
    for (url, address, user, password, is_third) in cases {
        let nodes = redis_nodes(&[url.to_owned()], &none()).expect(url);
        let info = nodes[0].client.get_connection_info();
        let settings = info.redis_settings();
        assert_eq!(nodes[0].address.to_string(), address, "{url}");
        assert_eq!((settings.username(), settings.password()), (user, password), "{url}");
        assert_eq!(settings.protocol() == redis::ProtocolVersion::RESP3, is_third, "{url}");
    }
}

#[test]
fn each_word_of_a_postgresql_url_acts_or_is_refused_by_name() {
    let cases: [(&str, &[&str]); 37] = [
        ("postgresql:///lab", &["names no host", "host=/run/postgresql"]),
        ("postgresql://", &["names no host"]),
        ("user=lab", &["names no host"]),
        ("postgresql://db/lab?sslmode=require", &["sslmode=", "tunnel"]),
        ("postgresql://db/lab?sslmode=verify-full", &["sslmode=", "no TLS", "tunnel"]),
        ("postgresql://db/lab?sslmode=verify-ca", &["sslmode=", "tunnel"]),
        ("postgresql://db/lab?sslrootcert=ca.pem", &["sslrootcert=", "tunnel"]),
        ("postgresql://db/lab?sslnegotiation=direct", &["sslnegotiation=", "tunnel"]),
        ("postgresql://db/lab?requiressl=1", &["requiressl=", "tunnel"]),
        ("postgresql://db/lab?channel_binding=require", &["channel_binding=", "tunnel"]),
        ("postgresql://db/lab?gssencmode=require", &["gssencmode=", "tunnel"]),
        ("postgresql://a,b/lab?target_session_attrs=read-write", &["target_session_attrs=", "leave it out"]),
        ("postgresql://a,b/lab?target_session_attrs=standby", &["target_session_attrs="]),
        ("postgresql://a,b/lab?load_balance_hosts=random", &["load_balance_hosts=", "leave it out"]),
        ("postgresql://db/lab?application_name=mine", &["application_name=", "leave it out"]),
        ("postgresql://db/lab?service=mine", &["service=", "service file"]),
        ("postgresql://db/lab?replication=database", &["replication=", "leave it out"]),
        ("postgresql://db/lab?krbsrvname=x", &["krbsrvname=", "leave it out"]),
        ("postgresql://db/lab?client_encoding=LATIN1", &["client_encoding=", "UTF8"]),
        ("postgresql://db/lab?connect_timeout=soon", &["connect_timeout=", "seconds"]),
        ("postgresql://db/lab?keepalives_count=x", &["keepalives_count=", "number"]),
        ("postgresql://db/lab?hostaddr=nowhere", &["hostaddr=", "numeric"]),
        ("postgresql://a,b/lab?hostaddr=127.0.0.1", &["2 hosts", "hostaddr="]),
        ("postgresql://a,b/lab?port=1,2,3", &["2 hosts", "3 ports"]),
        ("postgresql://db/lab?port=x", &["port=", "65535"]),
        ("postgresql://db:x/lab", &["postgresql://user@host:port/database"]),
        ("postgresql://db/lab?sslmode", &["without a ="]),
        ("mysql://db/lab", &["postgresql://user@host:port/database"]),
        ("db/lab", &["postgresql://user@host:port/database"]),
        ("postgresql://lab:ge@heim@db/lab", &["%40"]),
        ("postgresql://lab:ge@heim,x@db/lab", &["%40"]),
        ("postgresql://lab:x@ge%40heim/lab", &["no host's name", "%40"]),
        ("postgresql://lab:ge/heim@db/lab", &["%2F"]),
        ("postgresql://lab:ge?heim@db/lab", &["%3F"]),
        ("postgresql://lab:100%ge@db/lab", &["%25"]),
        ("postgresql://db/lab?password=ge&heim=1", &["%26"]),
        ("host='ge heim' user=lab", &["no host's name"]),
    ];
    for (url, words) in cases {
        expect(url, &postgres_said(url), words);
    }
    for list in ["host=db password=ge heim", "host=db password='geheim", "password=ge heim=1 host=db"] {
        expect(list, &postgres_said(list), &[]);
    }
}

#[test]
fn what_is_said_of_a_postgresql_acts_on_each_of_its_hosts() {
    let url = "postgresql://lab:ge%40h%2F@db,[::1]:5433/lab?connect_timeout=7\
               &tcp_user_timeout=1500&keepalives_idle=9&keepalives_interval=3&keepalives_count=2\
               &options=-c%20statement_timeout%3D9s&sslmode=prefer&target_session_attrs=any&load_balance_hosts=disable";
    let hosts = named(url);
    let addresses: Vec<_> = hosts.iter().map(|host| address_of(&host.config)).collect();
    assert_eq!(addresses, ["db:5432", "[::1]:5433"]);
    for NamedHost { config, .. } in &hosts {
        assert_eq!((config.get_user(), config.get_dbname()), (Some("lab"), Some("lab")));
        assert_eq!(config.get_password(), Some(b"ge@h/".as_slice()));
        assert_eq!(config.get_options(), Some("-c statement_timeout=9s"));
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(7)));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(9));
        assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(3)));
        assert_eq!(config.get_keepalives_retries(), Some(2));
    }
    let cases = [
        ("postgresql://u@db/x?hostaddr=127.0.0.7", "127.0.0.7:5432"),
        ("hostaddr=::1 port=7 user=u", "[::1]:7"),
        ("host=/run/postgresql user=lab", "/run/postgresql (port 5432)"),
        ("postgresql://u@/x?host=/run/postgresql&port=7", "/run/postgresql (port 7)"),
        ("host = 'db' port='7' user='a b' password='it\\'s'", "db:7"),
    ];
    for (url, address) in cases {
        let hosts = named(url);
        assert_eq!(address_of(&hosts[0].config), address, "{url}");
    }
    let hosts = named("postgresql://a:1,b:2/x?host=c,d&port=3");
    assert_eq!([3, 3], [hosts[0].config.get_ports()[0], hosts[1].config.get_ports()[0]]);
    let hosts = named("host=db user=u password='it\\'s' keepalives=0");
    assert_eq!(hosts[0].config.get_password(), Some(b"it's".as_slice()));
    assert!(!hosts[0].config.get_keepalives());
}

#[test]
fn a_password_may_stand_in_the_environment_or_in_a_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, lines: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, lines).expect("it can be written");
        let mine = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, mine).expect("it is ours");
        path
    };
    let file = write("passwords", "b:5433:lab:u:of-b\n*:*:*:u:of-all\nlocalhost:*:*:v:of-a-socket\n");
    let other = write("other", "*:*:*:*:of-the-url's-file\n");
    let of_file = Passwords { file: Some(file.clone()), ..none() };
    let of_variable = Passwords { postgres: Some("of-a-variable".to_owned()), ..of_file.clone() };
    let named = format!("postgresql://u@a/lab?passfile={}", other.display());
    let cases: [(&str, &Passwords, &[Option<&str>]); 7] = [
        ("postgresql://u@a,b:5433/lab", &of_file, &[Some("of-all"), Some("of-b")]),
        ("postgresql://u:mine@a,b:5433/lab", &of_file, &[Some("mine"), Some("mine")]),
        ("postgresql://u@a,b:5433/lab", &of_variable, &[Some("of-a-variable"), Some("of-a-variable")]),
        ("postgresql://v@a/lab", &of_file, &[None]),
        ("host=/run/postgresql user=v", &of_file, &[Some("of-a-socket")]),
        (&named, &of_file, &[Some("of-the-url's-file")]),
        ("postgresql://u@b:5433/lab?hostaddr=127.0.0.1", &of_file, &[Some("of-b")]),
    ];
    for (url, passwords, expected) in cases {
        let notices = Notices::default();
        let hosts = postgres_hosts(url, passwords, &notices).expect(url);
        let found: Vec<_> = hosts.iter().map(|host| host.config.get_password()).collect();
        let expected: Vec<_> = expected.iter().map(|password| password.map(str::as_bytes)).collect();
        assert_eq!(found, expected, "{url}");
        assert_eq!(notices.take(), Vec::<String>::new(), "{url}");
    }
    let of_redis = Passwords { redis: Some("of-a-variable".to_owned()), ..none() };
    for (url, expected) in
        [("redis://u@a", "of-a-variable"), ("redis://a", "of-a-variable"), ("redis://:mine@a", "mine")]
    {
        let nodes = redis_nodes(&[url.to_owned()], &of_redis).expect(url);
        assert_eq!(
            nodes[0].client.get_connection_info().redis_settings().password(),
            Some(expected),
            "{url}"
        );
    }
    for shown in [format!("{of_variable:?}"), format!("{of_redis:?}")] {
        assert!(!shown.contains("of-a-variable"), "{shown}");
    }
}

#[test]
fn ipv6_stands_in_brackets() {
    let address = |host: &str| Address { host: host.to_owned(), port: 7 };
    assert_eq!(address("::1").to_string(), "[::1]:7");
    assert_eq!(address("127.0.0.1").to_string(), "127.0.0.1:7");
    assert_eq!(address("db").to_string(), "db:7");
    let socket = std::net::SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]), 7);
    assert_eq!(Address::from(socket).to_string(), "[::1]:7");
}

/// Who listens where another was expected.
#[derive(Clone, Copy)]
enum Stranger {
    /// Takes every connection, and never says a word.
    Silent,
    /// Says this and closes, whatever it is told.
    Refuses(&'static [u8]),
    /// Says this to whatever it is told, and closes.
    Answers(&'static [u8]),
    /// As PostgreSQL: closes on what is no packet of its own, and refuses TLS.
    Postgres,
}

async fn stranger(kind: Stranger) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut said = [0; 512];
            // A client that is gone is no matter.
            match kind {
                Stranger::Silent => held.push(stream),
                Stranger::Refuses(words) => drop(stream.write_all(words).await),
                Stranger::Answers(words) => {
                    if stream.read(&mut said).await.is_ok_and(|count| count > 0) {
                        let _ = stream.write_all(words).await;
                    }
                }
                Stranger::Postgres => {
                    let told = stream.read(&mut said).await.unwrap_or_default();
                    if said[..told].starts_with(&[0, 0, 0, 8, 4, 210]) {
                        let _ = stream.write_all(b"N").await;
                    }
                }
            }
        }
    });
    address.into()
}

async fn refused<T>(asking: impl Future<Output = Result<T, HarnessError>>) -> String {
    let begun = Instant::now();
    let answer = tokio::time::timeout(SOON, asking).await;
    let answer = answer.unwrap_or_else(|_| panic!("nothing after {:?}", begun.elapsed()));
    answer.err().expect("nobody is there").to_string()
}

const DENIED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled\r\n";
const CROWDED: &[u8] = b"-ERR max number of clients reached\r\n";
const WEB: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\r\n";
const ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";

#[tokio::test]
async fn who_listens_instead_of_a_redis_is_told() {
    let cases: [(Stranger, &[&str]); 6] = [
        (Stranger::Silent, &["within 3s", "something other than Redis"]),
        (Stranger::Refuses(DENIED), &["DENIED Redis is running in protected mode", "requirepass"]),
        (Stranger::Refuses(CROWDED), &["max number of clients reached", "maxclients"]),
        (Stranger::Answers(WEB), &["web server", "400 Bad Request"]),
        (Stranger::Answers(ALERT), &["TLS", "tunnel"]),
        (Stranger::Postgres, &["PostgreSQL listens there", "--postgres"]),
    ];
    join_all(cases.map(async |(kind, words)| {
        let address = stranger(kind).await;
        let nodes = redis_nodes(&[format!("redis://:geheim@{address}")], &none()).expect("an address");
        let said = refused(redis(&nodes, &Notices::default())).await;
        expect(&said, &said, words);
        assert!(said.contains(&format!("{address}, which you named")), "{said}");
    }))
    .await;
}

#[tokio::test]
async fn who_listens_instead_of_a_postgresql_is_told() {
    let cases: [(Stranger, &[&str]); 5] = [
        (Stranger::Silent, &["within 6s", "something other than PostgreSQL"]),
        (Stranger::Refuses(CROWDED), &["Redis listens there", "--redis"]),
        (
            Stranger::Answers(b"-ERR wrong number of arguments for 'ping' command\r\n"),
            &["Redis listens there"],
        ),
        (Stranger::Answers(WEB), &["web server", "400 Bad Request"]),
        (Stranger::Answers(ALERT), &["TLS", "tunnel"]),
    ];
    join_all(cases.map(async |(kind, words)| {
        let address = stranger(kind).await;
        let url = format!("postgresql://lab:geheim@{address}/lab?connect_timeout=1");
        let hosts = named(&url);
        let said = refused(postgres(&hosts, &Notices::default())).await;
        expect(&said, &said, words);
        assert!(said.contains(&format!("{address}, which you named")), "{said}");
    }))
    .await;
}
