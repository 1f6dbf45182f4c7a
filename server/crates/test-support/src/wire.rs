//! A wire to the database that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries bytes to the database until it is cut, and again once it is mended.
#[derive(Debug)]
pub struct Wire {
    /// The database's address through it.
    pub url: String,
    whole: Arc<watch::Sender<bool>>,
}

impl Wire {
    /// Lays a wire to the database of that address.
    ///
    /// # Errors
    /// When the address has no port or none is free here.
    pub async fn to(database_url: &str) -> anyhow::Result<Self> {
        let after = database_url.rsplit_once('@').context("an address with a user")?.1;
        let place = after.split(['/', '?']).next().unwrap_or_default().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = database_url.replacen(&place, &listener.local_addr()?.to_string(), 1);
        let there: SocketAddr = tokio::net::lookup_host(&place).await?.next().context("an address")?;
        let whole = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&whole);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = state.subscribe();
                if !*state.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(there).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Ok(Self { url, whole })
    }

    /// Ends every connection and lets no new one through.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}
