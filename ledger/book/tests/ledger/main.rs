//! The book, the memory store and the proof, from outside.

mod book;
mod model;
mod postings;
mod proof;
mod store_laws;

/// Runs a future that is always ready.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(done) => done,
        std::task::Poll::Pending => panic!("a future of the memory store was not ready"),
    }
}
