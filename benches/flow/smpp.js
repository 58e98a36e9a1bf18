// One end of SMPP, by npm's `smpp`: an SMSC, or the client that isthmus is compared with. It counts,
// and tells its counts by JSON lines on standard output, at most every 5 ms.
//
// Run by `node -e`. Arguments: `server` or `client`, the port, the path of the package.
// Commands, by JSON lines on standard input: {"count":1000,"window":100}: the server delivers, the
// client submits so many messages, so many at a time without an answer.
'use strict';
const [mode, port, library] = process.argv.slice(1);
const smpp = require(library);

const counts = { bound: false, came: 0, again: 0, answered: 0 };
const seen = new Set();
let told = '';
setInterval(() => {
  const now = JSON.stringify(counts);
  if (now !== told) process.stdout.write((told = now) + '\n');
}, 5);

function came(pdu) {
  const text = pdu.short_message && pdu.short_message.message;
  if (seen.has(String(text))) counts.again++;
  else counts.came++;
  seen.add(String(text));
}

let peer = null;
function say(command) {
  let next = 0;
  const one = () => {
    if (next >= command.count) return;
    const text = `c0 s${next++} the quick brown fox jumps over the lazy dog, and over it again`;
    const pdu = { short_message: text, source_addr_ton: 1, dest_addr_ton: 1 };
    const done = () => {
      counts.answered++;
      one();
    };
    if (mode === 'server') {
      peer.deliver_sm({ ...pdu, source_addr: '15557654321', destination_addr: '15551230000' }, done);
    } else {
      peer.submit_sm({ ...pdu, source_addr: '15551230000', destination_addr: '15557654321' }, done);
    }
  };
  for (let n = 0; n < command.window; n++) one();
}

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  say(JSON.parse(line));
});
process.stdin.on('end', () => process.exit(0));

if (mode === 'server') {
  smpp.createServer((session) => {
    session.socket.setNoDelay(true);
    session.on('error', () => {});
    session.on('bind_transceiver', (pdu) => {
      session.send(pdu.response({ system_id: 'SMSC' }));
      peer = session;
      counts.bound = true;
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    let id = 0;
    session.on('submit_sm', (pdu) => {
      came(pdu);
      session.send(pdu.response({ message_id: `id${++id}` }));
    });
  }).listen(Number(port), '127.0.0.1', () => process.stdout.write('{}\n'));
} else {
  peer = smpp.connect({ url: `smpp://127.0.0.1:${port}` }, () => {
    peer.socket.setNoDelay(true);
    peer.bind_transceiver({ system_id: 'peer', password: 'secret' }, () => {
      counts.bound = true;
    });
  });
  peer.on('deliver_sm', (pdu) => {
    came(pdu);
    peer.send(pdu.response());
  });
}
