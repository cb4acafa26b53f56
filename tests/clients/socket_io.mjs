// A visitor by socket.io-client: says something, is cut, comes back and resumes. Prints what it saw as JSON.
// node socket_io.mjs http://127.0.0.1:8080 websocket|polling|both
import { io } from "socket.io-client";

const [url, kind] = process.argv.slice(2);
const transports = kind === "both" ? ["polling", "websocket"] : [kind];
const seen = { welcomes: [], seqs: [], acks: [], chunks: 0, disconnects: [], transport: "" };
let token = "";
let position = { epoch: 0, after_seq: 0 };

const socket = io(`${url}/visitor`, {
  transports,
  reconnectionDelay: 50,
  auth: (give) => give(token ? { token, streams: [position] } : { site_key: "demo", name: "小红" }),
});

const once = (name, fits = () => true) =>
  new Promise((done) => {
    const heard = (value) => fits(value) && (socket.off(name, heard), done(value));
    socket.on(name, heard);
  });

socket.on("welcome", (welcome) => {
  token = welcome.token || token;
  seen.welcomes.push(welcome.streams[0]);
  position = { id: welcome.session_id, epoch: welcome.streams[0].epoch, after_seq: position.after_seq };
});
socket.on("event", (event) => {
  seen.seqs.push(event.seq);
  position.after_seq = event.seq;
});
socket.on("message_chunk", () => seen.chunks++);
socket.on("disconnect", (reason) => seen.disconnects.push(reason));
socket.on("connect_error", (error) => fail(`${error.message} ${JSON.stringify(error.data)}`));

function fail(why) {
  console.error(why);
  process.exit(1);
}
setTimeout(() => fail(`not done in time: ${JSON.stringify(seen)}`), 20_000);

const say = (client_msg_id, text) => socket.emitWithAck("send", { client_msg_id, text });

await once("welcome");
const answered = once("event", (event) => event.message_end);
seen.acks.push(await say("c-1", "多久可以退货？"));
await answered;
seen.transport = socket.io.engine.transport.name;
const back = once("welcome");
socket.io.engine.close(); // as a network does
await back;
seen.acks.push(await say("c-1", "多久可以退货？")); // its ack might have been lost
const again = once("event", (event) => event.message_end);
seen.acks.push(await say("c-2", "How long does delivery take?"));
await again;
console.log(JSON.stringify(seen));
process.exit(0);
