// An SMSC that does what a test tells it: npm's `smpp` on a loopback port, driven by JSON lines
// on standard input, telling what happens by JSON lines on standard output.
//
// Run by `node -e`. Arguments: the port, the path of the package, and for TLS a key and a
// certificate (PEM).
// Commands:
//   {"cmd":"answers","list":[{"status":88},{"id":"7"},{"id":"8","after":50},{"hold":true}]}
//     how the next submissions are answered, one each; then as by {"id": a counter}
//   {"cmd":"release"}                    answers what is on hold
//   {"cmd":"deliver","pdu":{...}}        a deliver_sm; "hex" in place of "short_message"
//   {"cmd":"keep","key":"...","pdu":{...}}
//     a deliver that is sent again over each bind until it is taken; {"cmd":"kept"}: how many
//   {"cmd":"habits"}                     the last digit of a destination decides from now on:
//     0 accepted and delivered, 1 accepted and undeliverable, 2 refused, 3 never answered
//   {"cmd":"raw","hex":"..."}            bytes as they are
//   {"cmd":"enquire"}, {"cmd":"unbind"}, {"cmd":"drop"}
// Events: listening, ready (answers are set), bind, bound, submit, delivered (the answer to a
//   deliver), acknowledged (a kept one was taken), kept, nack, enquired, unbound, closed, error.
'use strict';
const fs = require('fs');
const [port, library, key, cert] = process.argv.slice(1);
const smpp = require(library);

const tell = (event, more) => process.stdout.write(JSON.stringify({ event, ...more }) + '\n');
let bound = null;
let count = 0;
let answers = [];
let held = [];
let habits = false;
const kept = new Map();

// One that is not taken is tried again after a while, or over the next bind.
function attempt(key) {
  const session = bound;
  if (!session || !kept.has(key)) return;
  session.deliver_sm(kept.get(key), (answer) => {
    if (answer.command_status === 0) {
      if (kept.delete(key)) tell('acknowledged', { key });
    } else if (session === bound) {
      setTimeout(() => session === bound && attempt(key), 200);
    }
  });
}

function keep(key, pdu) {
  kept.set(key, pdu);
  attempt(key);
}

function byHabit(pdu) {
  const digit = pdu.destination_addr.slice(-1);
  if (digit === '2') return { status: 0x0b };
  if (digit === '3') return { hold: true };
  const id = `id${++count}`;
  const [word, state] = digit === '1' ? ['UNDELIV', 5] : ['DELIVRD', 2];
  // The phone may answer before the submission is answered: that is for the wire to say.
  setImmediate(() => keep(id, {
    esm_class: 4,
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611211114 ` +
      `done date:2611211114 stat:${word} err:000 text:`,
    receipted_message_id: id,
    message_state: state,
  }));
  return { id };
}

function answered(pdu, how) {
  const id = how.id === undefined ? `id${++count}` : how.id;
  const fields = how.status ? { command_status: how.status } : { message_id: id };
  const send = () => bound && bound.send(pdu.response(fields));
  if (how.hold) held.push(send);
  else if (how.after) setTimeout(send, how.after);
  else send();
  return how.status ? '' : id;
}

function submitted(pdu) {
  const how = answers.length ? answers.shift() : habits ? byHabit(pdu) : {};
  const message = pdu.short_message;
  const udh = message && message.udh ? Buffer.concat(message.udh.map(Buffer.from)) : null;
  const octets = message && message.message;
  const text = Buffer.isBuffer(octets) ? octets.toString('hex') : octets;
  const id = answered(pdu, how);
  tell('submit', {
    id,
    source: pdu.source_addr,
    source_ton: pdu.source_addr_ton,
    destination: pdu.destination_addr,
    destination_ton: pdu.dest_addr_ton,
    esm_class: pdu.esm_class,
    data_coding: pdu.data_coding,
    registered_delivery: pdu.registered_delivery,
    udh: udh && udh.toString('hex'),
    text,
  });
}

function serve(session) {
  session.socket.setNoDelay(true);
  session.on('error', (error) => tell('error', { text: String(error) }));
  const bind = (pdu) => {
    const right = pdu.password === 'secret';
    tell('bind', { command: pdu.command, system_id: pdu.system_id, right });
    const status = right ? 0 : 0x0e;
    session.send(pdu.response({ command_status: status, system_id: 'SMSC' }));
    if (right) {
      bound = session;
      tell('bound', {});
      [...kept.keys()].forEach(attempt);
    }
  };
  ['bind_transceiver', 'bind_receiver', 'bind_transmitter'].forEach((e) => session.on(e, bind));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    tell('unbound', {});
    session.close();
  });
  session.on('submit_sm', submitted);
  session.on('pdu', (pdu) => {
    if (pdu.command === 'deliver_sm_resp') {
      tell('delivered', { sequence: pdu.sequence_number, status: pdu.command_status });
    } else if (pdu.command === 'generic_nack') {
      tell('nack', { sequence: pdu.sequence_number, status: pdu.command_status });
    } else if (pdu.command === 'enquire_link_resp') {
      tell('enquired', {});
    }
  });
  session.on('close', () => {
    if (bound === session) bound = null;
    tell('closed', {});
  });
}

function obey(command) {
  switch (command.cmd) {
    case 'answers':
      answers = command.list;
      tell('ready', {});
      break;
    case 'habits':
      habits = true;
      tell('ready', {});
      break;
    case 'keep':
      keep(command.key, command.pdu);
      break;
    case 'kept':
      tell('kept', { count: kept.size });
      break;
    case 'release':
      held.splice(0).forEach((send) => send());
      break;
    case 'deliver': {
      const fields = { ...command.pdu };
      if (fields.hex !== undefined) {
        fields.short_message = Buffer.from(fields.hex, 'hex');
        delete fields.hex;
      }
      bound.deliver_sm(fields);
      break;
    }
    case 'raw':
      bound.socket.write(Buffer.from(command.hex, 'hex'));
      break;
    case 'enquire':
      bound.enquire_link();
      break;
    case 'unbind':
      bound.unbind();
      break;
    case 'drop':
      bound.socket.destroy();
      break;
    default:
      tell('error', { text: `no command ${command.cmd}` });
  }
}

const options = key ? { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } : {};
const server = key ? smpp.createServer(options, serve) : smpp.createServer(serve);
server.listen(Number(port), '127.0.0.1', () => tell('listening', {}));

let rest = '';
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n');
  rest = lines.pop();
  lines.filter(Boolean).forEach((line) => obey(JSON.parse(line)));
});
process.stdin.on('end', () => process.exit(0));
