//! A WebSocket as a byte stream.

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Bytes out of messages, and messages out of bytes.
pub async fn bridge<W, M, E>(
    stream: DuplexStream,
    socket: W,
    wrap: fn(Vec<u8>) -> M,
    unwrap: fn(M) -> Vec<u8>,
) where
    W: Sink<M> + Stream<Item = Result<M, E>>,
{
    let ((mut from, mut to), (mut sink, mut source)) = (tokio::io::split(stream), socket.split());
    let up = async {
        let mut bytes = vec![0; 16_384];
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            let part = bytes.get(..read).unwrap_or_default();
            if sink.send(wrap(part.to_vec())).await.is_err() {
                break;
            }
        }
        let _ = sink.close().await;
    };
    let down = async {
        while let Some(Ok(message)) = source.next().await {
            if to.write_all(&unwrap(message)).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(up, down);
}
