//! What a network does to its link, on real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::lab::Lab;

#[test]
fn a_network_that_stops_within_a_frame_is_cut_off_and_dialled_again() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let ports = listeners.each_ref().map(|listener| u64::from(listener.local_addr().expect("bound").port()));
    let lab = Lab::new(20_261_125);
    lab.prepare(&ports);
    let (switch, _) = lab.start();
    let (mut network, _) = listeners[0].accept().expect("the switch connects");
    // What would come next would be taken for the rest of it.
    network.write_all(&[0, 60, b'0']).expect("it listens");
    let mut heard = Vec::new();
    // Until it closes: within five seconds, and without a sign-on answered it has nothing else to say.
    network.read_to_end(&mut heard).expect("it closes in good order");
    assert!(heard.windows(4).any(|four| four == b"0800"), "it signed on: {heard:?}");
    let (mut again, _) = listeners[0].accept().expect("it connects again");
    let mut length = [0; 2];
    again.read_exact(&mut length).expect("and signs on again");
    switch.end();
}
