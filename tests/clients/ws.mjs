// A visitor by ws: says something, is cut, comes back and resumes. Prints what it saw as JSON.
// node ws.mjs ws://127.0.0.1:8080/v1/rt
import WebSocket from "ws";

const [url] = process.argv.slice(2);
const seen = { protocol: "", welcomes: [], seqs: [], acks: [], chunks: 0, closed: 0 };

function fail(why) {
  console.error(why);
  process.exit(1);
}
setTimeout(() => fail(`not done in time: ${JSON.stringify(seen)}`), 20_000);

/** Open, say hello, and keep what comes; `until` waits for a frame. */
function open(hello) {
  const waiting = [];
  const socket = new WebSocket(url, ["parley.v1.json"]);
  socket.on("open", () => socket.send(JSON.stringify({ hello })));
  socket.on("error", (error) => fail(String(error)));
  socket.on("message", (data) => {
    const frame = JSON.parse(data);
    if (frame.event) seen.seqs.push(frame.event.seq);
    if (frame.message_chunk) seen.chunks++;
    if (frame.ack) seen.acks.push(frame.ack);
    for (const one of waiting.splice(0)) if (!one.fits(frame)) waiting.push(one); else one.done(frame);
  });
  const until = (fits) => new Promise((done) => waiting.push({ fits, done }));
  return { socket, until, say: (send) => socket.send(JSON.stringify({ send })) };
}

const first = open({ site_key: "demo" });
const { welcome } = await first.until((frame) => frame.welcome);
seen.protocol = first.socket.protocol;
const end = first.until((frame) => frame.event?.message_end);
first.say({ client_msg_id: "c-1", text: "多久可以退货？" });
await end;
first.socket.terminate();

const stream = { id: welcome.session_id, epoch: 1, after_seq: 1 };
const second = open({ token: welcome.token, streams: [stream] });
seen.welcomes.push((await second.until((frame) => frame.welcome)).welcome.streams[0]);
const ack = second.until((frame) => frame.ack);
second.say({ client_msg_id: "c-1", text: "多久可以退货？" });
await ack;
second.socket.on("close", (code) => {
  seen.closed = code;
  console.log(JSON.stringify(seen));
  process.exit(0);
});
for (let n = 0; n < 30; n++) second.socket.send("{");
