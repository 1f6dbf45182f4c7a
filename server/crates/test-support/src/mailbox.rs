//! A mail server of a test's own: a real SMTP conversation on loopback, answered as the test likes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the next letters are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken.
    Take,
    /// Not now: 451.
    Later,
    /// Never: 550 at the recipient.
    Never,
    /// Taken, but the connection ends before the last word.
    Drop,
    /// Connections are taken, and nothing is ever said.
    Hang,
    /// Taken, but what is said to the recipient comes after so long.
    Late(Duration),
    /// Taken, but what is said to the letter comes after so long.
    LateTaken(Duration),
    /// The password is refused: 535.
    NotLetIn,
    /// Nobody sends without having been let in: 530 at the sender.
    Wants,
    /// Whoever is between has taken encryption away: it is not offered, or offered and answered so when it is asked for.
    Stripped(Option<&'static str>),
}

/// What was delivered.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The recipient of the envelope.
    pub to: String,
    /// The letter as it was sent.
    pub content: String,
}

impl Delivered {
    /// The value of a header on one line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.content.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The mail server.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Its address as a setting.
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    delivered: Arc<Mutex<Vec<Delivered>>>,
    heard: Arc<Mutex<Vec<String>>>,
    said: Arc<Mutex<Vec<String>>>,
}

impl Mailbox {
    /// Opens it.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("smtp://127.0.0.1:{}", listener.local_addr()?.port());
        let mailbox = Self {
            url,
            answer: Arc::new(Mutex::new(Answer::Take)),
            delivered: Arc::default(),
            heard: Arc::default(),
            said: Arc::default(),
        };
        let serving = mailbox.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move {
                    // A conversation that breaks off is the sender's matter.
                    let _ = serving.converse(stream).await;
                });
            }
        });
        Ok(mailbox)
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// What was delivered so far, letters whose last word was lost too.
    pub fn delivered(&self) -> Vec<Delivered> {
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every command so far, as it came over the wire.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every answer to a command so far.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = stream.into_split();
        if *self.answer.lock().unwrap_or_else(PoisonError::into_inner) == Answer::Hang {
            // Until the other side has had enough.
            let mut lines = BufReader::new(read).lines();
            while lines.next_line().await?.is_some() {}
            return Ok(());
        }
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 mailbox ESMTP\r\n").await?;
        let mut to = String::new();
        while let Some(line) = lines.next_line().await? {
            let answer = *self.answer.lock().unwrap_or_else(PoisonError::into_inner);
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let said = match (word.as_str(), answer) {
                ("EHLO" | "HELO", Answer::Stripped(Some(_))) => "250-mailbox\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN",
                ("EHLO" | "HELO", _) => "250-mailbox\r\n250 AUTH PLAIN LOGIN",
                ("STARTTLS", Answer::Stripped(Some(said))) => said,
                ("AUTH", Answer::NotLetIn) => "535 not you",
                ("AUTH", _) => "235 let in",
                ("MAIL", Answer::Wants) => "530 authentication required",
                ("RCPT", Answer::Never) => "550 no such mailbox",
                ("RCPT", _) => {
                    if let Answer::Late(after) = answer {
                        tokio::time::sleep(after).await;
                    }
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    "250 ok"
                }
                ("DATA", Answer::Later) => "451 not now",
                ("DATA", _) => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut content = String::new();
                    while let Some(line) = lines.next_line().await? {
                        if line == "." {
                            break;
                        }
                        content.push_str(line.strip_prefix('.').unwrap_or(&line));
                        content.push_str("\r\n");
                    }
                    let delivered = Delivered { to: to.clone(), content };
                    self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(delivered);
                    match answer {
                        Answer::Drop => return Ok(()),
                        Answer::LateTaken(after) => tokio::time::sleep(after).await,
                        _ => {}
                    }
                    "250 taken"
                }
                ("QUIT", _) => {
                    write.write_all(b"221 bye\r\n").await?;
                    return Ok(());
                }
                _ => "250 ok",
            };
            write.write_all(format!("{said}\r\n").as_bytes()).await?;
            self.said.lock().unwrap_or_else(PoisonError::into_inner).push(said.to_owned());
        }
        Ok(())
    }
}
