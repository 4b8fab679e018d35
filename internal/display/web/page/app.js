// The page: a screen, consoles, and the buttons of a computer.

const $ = (id) => document.getElementById(id);
const socket = (path) => `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${path}`;

const tabs = new Map(); // name -> {button, panel, show}
let state = null;
let rfb = null;

async function load() {
  const r = await fetch('api/state');
  if (r.status === 401) location.href = '/';
  if (!r.ok) throw new Error(r.statusText);
  state = await r.json();
  $('title').textContent = document.title = state.title;
  $('status').textContent = state.status;
  $('status').className = state.status === 'running' ? 'running' : '';
  $('pause').textContent = state.status === 'running' ? 'Pause' : 'Resume';
  $('media').hidden = state.drives.length === 0;
  $('sound').hidden = !state.sound;
}

async function poll() {
  try {
    if (!document.hidden) await load();
  } catch {
    $('status').textContent = 'not reachable';
    $('status').className = 'lost';
  }
  setTimeout(poll, 1500);
}

async function act(action, body) {
  const r = await fetch(`api/${action}`, { method: 'POST', body: body && JSON.stringify(body) });
  if (!r.ok) throw new Error((await r.text()).trim());
  await load();
}

function notice(text) {
  $('notice').textContent = text;
  $('notice').hidden = !text;
}

// Tabs

function addTab(name, panel, show) {
  const button = document.createElement('button');
  button.role = 'tab';
  button.id = `tab-${name}`;
  button.textContent = name;
  button.onclick = () => select(name);
  $('tabs').append(button);
  tabs.set(name, { button, panel, show });
}

function select(name) {
  for (const [n, t] of tabs) {
    t.panel.hidden = n !== name;
    t.button.setAttribute('aria-selected', n === name);
  }
  tabs.get(name).show();
}

// Ctrl-Alt-1 and so on, as in other displays. The machine has seen the
// modifiers go down and does not see them come up.
function shortcuts() {
  window.addEventListener('keydown', (e) => {
    const digit = /^Digit([1-9])$/.exec(e.code);
    const name = digit && e.ctrlKey && e.altKey && [...tabs.keys()][digit[1] - 1];
    if (!name) return;
    e.preventDefault();
    e.stopPropagation();
    if (rfb) {
      rfb.sendKey(0xffe3, 'ControlLeft', false);
      rfb.sendKey(0xffe9, 'AltLeft', false);
    }
    select(name);
  }, true);
}

// Screen

async function openScreen() {
  const { default: RFB } = await import('./lib/novnc/core/rfb.js');
  const connect = () => {
    rfb = new RFB($('screen'), socket('/ws/screen'), { shared: true });
    rfb.scaleViewport = true;
    rfb.background = 'transparent';
    rfb.showDotCursor = true;
    rfb.addEventListener('connect', () => { notice(''); rfb.focus(); });
    rfb.addEventListener('disconnect', () => {
      notice('The connection is gone. Trying again …');
      setTimeout(connect, 2000);
    });
  };
  connect();
  // A click beside the picture leaves the keyboard with the machine.
  $('panel-screen').addEventListener('mousedown', (e) => {
    if (e.target.tagName === 'CANVAS') return;
    e.preventDefault();
    rfb.focus();
  });
}

// The keyboard of a phone writes into a text area; its characters are X
// keysyms: Latin-1 as they are, others with 1000000h added.
function typing() {
  const area = $('typing');
  const press = (sym, code) => rfb && rfb.sendKey(sym, code);
  area.addEventListener('input', (e) => {
    if (e.inputType === 'deleteContentBackward') press(0xff08, 'Backspace');
    else if (e.inputType === 'insertLineBreak') press(0xff0d, 'Enter');
    for (const ch of e.data || '') {
      const c = ch.codePointAt(0);
      const upper = ch !== ch.toLowerCase();
      if (upper) rfb.sendKey(0xffe1, 'ShiftLeft', true);
      press(c < 0x100 ? c : 0x1000000 + c);
      if (upper) rfb.sendKey(0xffe1, 'ShiftLeft', false);
    }
    area.value = ' ';
  });
  area.addEventListener('keydown', (e) => e.stopPropagation());
  $('keyboard').onclick = () => {
    select('screen');
    area.value = ' ';
    area.focus();
  };
}

// Sound: pieces of samples that are played one right after the other. They
// begin late enough that the next ones come in time; what comes too early,
// after the network has stood, is left out.

const soundLead = 0.08;
const soundMost = 0.3; // seconds

let sound = null;

function soundOff() {
  sound.ws.onclose = null;
  sound.ws.close();
  sound.ctx.close();
  sound = null;
}

function soundOn() {
  const rate = state.sound;
  const ctx = new AudioContext({ sampleRate: rate });
  const s = sound = { ctx, ws: null };
  ctx.resume();
  let next = 0; // frames of ctx's time
  const play = (e) => {
    const samples = new Int16Array(e.data);
    const frames = samples.length / 2;
    const now = ctx.currentTime * rate;
    if (ctx.state !== 'running' || next > now + soundMost * rate) return;
    if (next < now) next = Math.ceil(now + soundLead * rate);
    const piece = ctx.createBuffer(2, frames, rate);
    for (const side of [0, 1]) {
      const to = piece.getChannelData(side);
      for (let i = 0; i < frames; i++) to[i] = samples[2 * i + side] / 32768;
    }
    const source = ctx.createBufferSource();
    source.buffer = piece;
    source.connect(ctx.destination);
    source.start(next / rate);
    next += frames;
  };
  const connect = () => {
    if (sound !== s) return;
    s.ws = new WebSocket(socket('/ws/sound'));
    s.ws.binaryType = 'arraybuffer';
    s.ws.onmessage = play;
    s.ws.onclose = () => setTimeout(connect, 2000);
  };
  connect();
}

// Consoles

function openConsole(name, Terminal) {
  const panel = document.createElement('section');
  panel.className = 'panel';
  panel.id = `panel-${name}`;
  panel.role = 'tabpanel';
  panel.hidden = true;
  const box = document.createElement('div');
  box.className = 'term';
  panel.append(box);
  $('main').append(panel);
  const term = new Terminal({
    cols: 80, rows: 24, cursorBlink: true, scrollback: 5000, fontSize: 14,
    fontFamily: 'ui-monospace, "DejaVu Sans Mono", monospace', theme: { background: '#101216' },
  });
  let opened = false;
  let ws = null;
  let waiting = ''; // typed before there is a connection
  const connect = () => {
    ws = new WebSocket(socket(`/ws/console/${encodeURIComponent(name)}`));
    ws.binaryType = 'arraybuffer';
    ws.onopen = () => {
      term.reset();
      if (waiting) ws.send(new TextEncoder().encode(waiting));
      waiting = '';
    };
    ws.onmessage = (e) => term.write(new Uint8Array(e.data));
    ws.onclose = () => setTimeout(connect, 2000);
  };
  term.onData((d) => {
    if (ws && ws.readyState === WebSocket.OPEN) ws.send(new TextEncoder().encode(d));
    else waiting = (waiting + d).slice(0, 4096);
  });
  const fit = () => {
    const cell = box.querySelector('.xterm-screen');
    if (!opened || panel.hidden || !cell) return;
    const rows = Math.max(5, Math.floor((box.clientHeight - 16) / (cell.clientHeight / term.rows)));
    const cols = Math.max(20, Math.min(132, Math.floor((box.clientWidth - 30) / (cell.clientWidth / term.cols))));
    if (rows !== term.rows || cols !== term.cols) term.resize(cols, rows);
  };
  new ResizeObserver(fit).observe(box);
  addTab(name, panel, () => {
    if (!opened) {
      opened = true;
      term.open(box);
      connect();
    }
    fit();
    term.focus();
  });
}

// Buttons

function ask(question) {
  $('question').textContent = question;
  $('confirm').showModal();
  return new Promise((done) => {
    $('confirm').onclose = () => done($('confirm').returnValue === 'yes');
  });
}

function buttons() {
  const alertWrong = (p) => p.catch((e) => notice(e.message));
  $('cad').onclick = () => { rfb && rfb.sendCtrlAltDel(); rfb && rfb.focus(); };
  $('sound').onclick = () => {
    if (sound) soundOff();
    else soundOn();
    $('sound').setAttribute('aria-pressed', sound !== null);
  };
  $('pause').onclick = () => alertWrong(act(state.status === 'running' ? 'stop' : 'cont'));
  $('reset').onclick = async () => { if (await ask('Reset the machine? What is not saved is lost.')) alertWrong(act('reset')); };
  $('power').onclick = async () => { if (await ask('Press the power button?')) alertWrong(act('power')); };
  $('full').onclick = () => document.fullscreenElement ? document.exitFullscreen() : $('main').requestFullscreen();
  $('shot').onclick = () => {
    const a = document.createElement('a');
    a.href = 'api/screenshot.png';
    a.download = `${state.title}.png`;
    a.click();
  };
  $('media').onclick = async () => {
    drives();
    $('drives').showModal();
    const r = await fetch('api/media');
    $('images').replaceChildren(...(await r.json()).map((name) => new Option('', name)));
  };
  $('theme').onclick = () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const now = document.documentElement.dataset.theme || (dark ? 'dark' : 'light');
    theme(now === 'dark' ? 'light' : 'dark');
  };
}

function theme(t) {
  if (t) document.documentElement.dataset.theme = t;
  try { if (t) localStorage.setItem('theme', t); } catch { /* private windows */ }
}

function drives() {
  $('drive-error').textContent = '';
  $('drive-list').replaceChildren(...state.drives.map((d) => {
    const row = document.createElement('form');
    row.className = 'drive';
    const label = document.createElement('label');
    const input = document.createElement('input');
    input.id = `file-${d.name}`;
    input.value = d.file;
    input.placeholder = 'empty';
    input.setAttribute('list', 'images');
    label.htmlFor = input.id;
    label.textContent = d.name;
    const put = document.createElement('button');
    put.textContent = 'Insert';
    const eject = document.createElement('button');
    eject.type = 'button';
    eject.textContent = 'Eject';
    const change = async (file) => {
      try {
        await act('change', { drive: d.name, file });
        drives();
      } catch (e) {
        $('drive-error').textContent = e.message;
      }
    };
    row.onsubmit = (e) => { e.preventDefault(); if (input.value) change(input.value); };
    eject.onclick = () => change('');
    row.append(label, input, put, eject);
    return row;
  }));
}

try { theme(localStorage.getItem('theme')); } catch { /* private windows */ }
addTab('screen', $('panel-screen'), () => rfb && rfb.focus());
select('screen');
buttons();
shortcuts();
typing();
try {
  await load();
  if (state.complete) {
    await openScreen();
    const { Terminal } = await import('./lib/xterm/lib/xterm.mjs');
    for (const name of state.consoles) openConsole(name, Terminal);
  } else {
    $('notice').hidden = false;
    $('notice').innerHTML = 'This build carries neither noVNC nor xterm.js. <code>make web build</code> in its sources fetches them from npm and builds them in. The machine\'s screen is also to be had by VNC: <code>-vnc 127.0.0.1:0</code>.';
  }
} catch (e) {
  notice(String(e));
}
poll();
