package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// browser is a page of Chromium, driven by the DevTools protocol.
type browser struct {
	t   *testing.T
	ws  *websocket.Conn
	ctx context.Context
	id  int
}

// chromium starts a browser with an empty page.
func chromium(t *testing.T) *browser {
	t.Helper()
	bin := tool(t, "chromium", "chromium")
	profile, err := os.MkdirTemp("", "rhea-chromium") // t.TempDir would fail where a helper process still writes
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
		"--user-data-dir="+profile, "about:blank")
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait(); os.RemoveAll(profile) })
	var addr string
	for sc := bufio.NewScanner(errs); sc.Scan(); {
		if m := regexp.MustCompile(`DevTools listening on ws://([^/]+)/`).FindStringSubmatch(sc.Text()); m != nil {
			addr = m[1]
			break
		}
	}
	go io.Copy(io.Discard, errs)
	page := ""
	until(t, "chromium has a page", func() bool {
		r, err := http.Get("http://" + addr + "/json/list")
		if err != nil {
			t.Fatalf("chromium: %v", err)
		}
		defer r.Body.Close()
		var pages []struct {
			Type string
			URL  string `json:"webSocketDebuggerUrl"`
		}
		if err := json.NewDecoder(r.Body).Decode(&pages); err != nil {
			t.Fatal(err)
		}
		for _, p := range pages {
			if p.Type == "page" {
				page = p.URL
			}
		}
		return page != ""
	})
	ctx, cancel := context.WithTimeout(context.Background(), 6*slow)
	t.Cleanup(cancel)
	ws, _, err := websocket.Dial(ctx, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(64 << 20)
	return &browser{t: t, ws: ws, ctx: ctx}
}

// do sends a command and returns its result.
func (b *browser) do(method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.id++
	out, _ := json.Marshal(map[string]any{"id": b.id, "method": method, "params": params})
	if err := b.ws.Write(b.ctx, websocket.MessageText, out); err != nil {
		b.t.Fatal(err)
	}
	for {
		_, in, err := b.ws.Read(b.ctx)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var r struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(in, &r); err != nil || r.ID != b.id {
			continue // an event
		}
		if r.Error != nil {
			b.t.Fatalf("%s: %s", method, r.Error.Message)
		}
		return r.Result
	}
}

// eval returns the value of an expression as text.
func (b *browser) eval(js string) string {
	b.t.Helper()
	var r struct {
		Result struct {
			Value       any
			Description string
		}
		ExceptionDetails any
	}
	json.Unmarshal(b.do("Runtime.evaluate", map[string]any{"expression": js, "awaitPromise": true, "returnByValue": true}), &r)
	if r.ExceptionDetails != nil {
		return "error: " + r.Result.Description
	}
	return fmt.Sprint(r.Result.Value)
}

// until waits for an expression to be a text.
func (b *browser) until(js, want string) {
	b.t.Helper()
	got := ""
	for end := time.Now().Add(slow); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got = b.eval(js); got == want {
			return
		}
	}
	b.shot("failed")
	b.t.Fatalf("%s is %q, want %q", js, got, want)
}

// click presses the mouse button in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	var p struct{ X, Y float64 }
	at := b.eval(fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return JSON.stringify({X: r.x + r.width / 2, Y: r.y + r.height / 2}) })()`, selector))
	if err := json.Unmarshal([]byte(at), &p); err != nil {
		b.t.Fatalf("%s: %s", selector, at)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		b.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": p.X, "y": p.Y, "button": "left", "clickCount": 1})
	}
}

// typed types text by single keys.
func (b *browser) typed(text string) {
	b.t.Helper()
	for _, c := range text {
		key, code := string(c), "Key"+strings.ToUpper(string(c))
		switch {
		case c == '\n':
			key, code = "Enter", "Enter"
		case c == ' ':
			code = "Space"
		case c >= '0' && c <= '9':
			code = "Digit" + string(c)
		case c == '-':
			code = "Minus"
		}
		for _, kind := range []string{"keyDown", "keyUp"} {
			e := map[string]any{"type": kind, "key": key, "code": code}
			if kind == "keyDown" && len(key) == 1 {
				e["text"] = key
			}
			if c == '\n' {
				e["text"], e["windowsVirtualKeyCode"] = "\r", 13
			}
			b.do("Input.dispatchKeyEvent", e)
		}
	}
}

// shot stores a picture of the page where RHEA_SHOTS says.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("RHEA_SHOTS")
	if dir == "" {
		return
	}
	var r struct{ Data string }
	json.Unmarshal(b.do("Page.captureScreenshot", nil), &r)
	data, _ := base64.StdEncoding.DecodeString(r.Data)
	write(b.t, filepath.Join(dir, name+".png"), data)
}

func (b *browser) size(w, h int, mobile bool) {
	b.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": w, "height": h, "deviceScaleFactor": 1, "mobile": mobile})
	b.do("Emulation.setTouchEmulationEnabled", map[string]any{"enabled": mobile})
}

func (b *browser) scheme(name string) {
	b.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}}})
}

// webPage starts a guest with a page and returns its address.
func webPage(t *testing.T, args ...string) (*guest, string) {
	t.Helper()
	if _, err := os.Stat("../../internal/display/web/dist/novnc"); err != nil {
		missing(t, "noVNC and xterm.js", "make web")
	}
	need(t, "seabios", "/usr/share/seabios/bios-256k.bin")
	g := start(t, append([]string{"-display", "web=127.0.0.1:0"}, args...)...)
	url := ""
	until(t, "there is an address", func() bool {
		url = regexp.MustCompile(`http://\S+\s`).FindString(g.errs.String())
		return url != ""
	})
	return g, strings.TrimSpace(url)
}

// TestWebPage does with a guest what a person does: sees it boot, types into
// its screen and its serial console, and presses the buttons.
func TestWebPage(t *testing.T) {
	kernel, initrd := guestFile(t, "bzImage-i386-486"), guestFile(t, "initramfs-i386.gz")
	b := chromium(t)
	g, url := webPage(t, "-m", "64", "-kernel", kernel, "-initrd", initrd, "-append", "console=tty0 console=ttyS0", "-name", "the guest", "-cdrom", painter(t))
	b.size(1200, 800, false)
	b.do("Page.navigate", map[string]any{"url": url})
	b.until(`document.querySelector('#status')?.textContent`, "running")
	b.until(`document.querySelector('#title').textContent`, "rhea (the guest)")
	b.until(`document.querySelectorAll('#screen canvas').length`, "1")
	b.until(`document.querySelectorAll('#tabs button').length`, "4")

	// The serial console.
	text := func(name string) string {
		return fmt.Sprintf(`document.querySelector('#panel-%s .xterm-rows').innerText`, name)
	}
	b.click("#tab-serial0")
	b.until(`/#\s*$/.test(`+text("serial0")+`.trim())`, "true")
	b.typed("uname\n")
	b.until(text("serial0")+`.includes("uname\nLinux")`, "true")
	// A shell on the screen, and a program that tells of it here.
	b.do("Input.insertText", map[string]any{"text": "echo 'echo 4$((1+1)) by the screen >/dev/ttyS0' >/bin/run; chmod 755 /bin/run; setsid sh -i </dev/tty1 >/dev/tty1 2>&1 & echo re''ady"})
	b.typed("\n")
	b.until(text("serial0")+`.includes("ready")`, "true")
	b.shot("serial")

	// The screen: what is typed there changes its picture.
	until(t, "the program is run", func() bool { // the shell drops what was typed before it began
		b.click("#tab-screen")
		b.click("#screen canvas")
		b.typed("run\n")
		time.Sleep(time.Second)
		b.shot("screen-light")
		b.click("#tab-serial0")
		time.Sleep(time.Second)
		return b.eval(text("serial0")+`.includes("42 by the screen")`) == "true"
	})
	b.click("#tab-screen")
	b.scheme("dark")
	b.shot("screen-dark")
	b.size(390, 760, true)
	time.Sleep(500 * time.Millisecond)
	b.shot("phone")
	b.size(1200, 800, false)

	// The monitor, by its key.
	b.do("Input.dispatchKeyEvent", map[string]any{"type": "rawKeyDown", "key": "2", "code": "Digit2", "modifiers": 3})
	b.until(`document.querySelector('#tab-monitor').getAttribute('aria-selected')`, "true")
	b.typed("info name\n")
	b.until(text("monitor")+`.includes("the guest")`, "true")
	b.typed("logfile a\n") // whoever sees the page has no say over the host's files
	b.until(text("monitor")+`.includes("logfile is not allowed here")`, "true")

	// Buttons.
	b.click("#pause")
	b.until(`document.querySelector('#status').textContent`, "paused")
	b.click("#pause")
	b.until(`document.querySelector('#status').textContent`, "running")
	b.click("#media")
	b.until(`document.querySelectorAll('.drive').length > 0`, "true")
	b.shot("media")
	b.click(".drive button[type=button]")
	b.until(`document.querySelector('.drive input').value`, "")
	b.click("#drives button.main")
	b.until(`fetch('api/screenshot.png').then((r) => r.blob()).then((b) => createImageBitmap(b)).then((i) => i.width)`, "720")
	b.click("#reset")
	b.click("#confirm button.danger")
	b.click("#tab-serial0")
	b.until(text("serial0")+`.includes("42 by")`, "false") // it boots anew
	b.click("#tab-monitor")
	b.typed("quit\n")
	g.ends(slow)
}

// TestWebRefuses asks as other sites' pages and strangers do.
func TestWebRefuses(t *testing.T) {
	_, url := webPage(t, "-m", "16")
	status := func(method, path string, change func(*http.Request)) int {
		r, err := http.NewRequest(method, strings.TrimSuffix(url, "/")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/")
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"its own page":    {func(r *http.Request) { r.Header.Set("Origin", "http://"+host) }, 204},
		"no origin":       {nil, 204},
		"another origin":  {func(r *http.Request) { r.Header.Set("Origin", "http://example.com") }, 403},
		"a rebound name":  {func(r *http.Request) { r.Host = "example.com"; r.Header.Set("Origin", "http://example.com") }, 403},
		"another port":    {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
		"an empty origin": {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
	} {
		if got := status("POST", "/api/stop", tc.change); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
	if got := status("GET", "/api/reset", nil); got == 204 {
		t.Error("a GET pressed the reset button")
	}
	for _, path := range []string{"/ws/screen", "/ws/console/monitor"} {
		_, _, err := websocket.Dial(context.Background(), "ws://"+host+path, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://example.com"}}})
		if err == nil {
			t.Errorf("%s was opened from another site", path)
		}
	}
}

// beeper is a disk whose boot sector has the speaker sound at 1000 Hz.
func beeper(t *testing.T) string {
	t.Helper()
	sector := make([]byte, 512)
	copy(sector, []byte{
		0xb0, 0xb6, 0xe6, 0x43, // mov al, B6h; out 43h, al: counter 2, mode 3
		0xb0, 0xa9, 0xe6, 0x42, 0xb0, 0x04, 0xe6, 0x42, // 1193
		0xe4, 0x61, 0x0c, 0x03, 0xe6, 0x61, // in al, 61h; or al, 3; out 61h, al
		0xf4, 0xeb, 0xfd, // hlt; jmp $-1
	})
	sector[510], sector[511] = 0x55, 0xaa
	name := filepath.Join(t.TempDir(), "beep")
	write(t, name, sector)
	return name
}

// TestWebPassword logs in.
func TestWebPassword(t *testing.T) {
	b := chromium(t)
	_, url := webPage(t, "-m", "16", "-object", "secret,id=s,data=potato", "-display", "web=127.0.0.1:0,password-secret=s")
	b.size(390, 700, true)
	b.do("Page.navigate", map[string]any{"url": url})
	b.until(`document.querySelector('#password')?.type`, "password")
	enter := func(s string) {
		b.eval(`document.querySelector('#password').focus()`)
		b.do("Input.insertText", map[string]any{"text": s})
		b.click("button.main")
	}
	enter("tomato")
	b.until(`getComputedStyle(document.querySelector('#wrong')).display`, "block")
	b.shot("login")
	enter("potato")
	b.until(`document.querySelector('#status')?.textContent`, "running")
}

// TestWebSound has a browser play the speaker's tone and looks at what comes
// out of its mixer.
func TestWebSound(t *testing.T) {
	b := chromium(t)
	g, url := webPage(t, "-m", "16", "-drive", "format=raw,file="+beeper(t))
	b.size(1200, 800, false)
	b.do("Page.navigate", map[string]any{"url": url})
	b.until(`document.querySelector('#status')?.textContent`, "running")
	b.until(`document.querySelector('#sound').hidden`, "false")
	// What goes to the loudspeaker goes through an analyser first.
	b.eval(`(() => {
		const connect = AudioNode.prototype.connect;
		AudioNode.prototype.connect = function (to, ...rest) {
			if (to !== this.context.destination) return connect.call(this, to, ...rest);
			const ctx = this.context;
			if (!ctx.probe) {
				ctx.probe = window.probe = ctx.createAnalyser();
				ctx.probe.fftSize = 32768;
				connect.call(ctx.probe, ctx.destination);
			}
			return connect.call(this, ctx.probe);
		};
	})()`)
	b.click("#sound")
	b.until(`document.querySelector('#sound').getAttribute('aria-pressed')`, "true")
	b.until(`window.probe !== undefined`, "true")
	// The loudest frequency, and how much of the last 0.7 s is silence.
	b.until(`(() => {
		const f = new Float32Array(probe.frequencyBinCount), s = new Float32Array(probe.fftSize);
		probe.getFloatFrequencyData(f);
		probe.getFloatTimeDomainData(s);
		const hz = f.indexOf(Math.max(...f)) * probe.context.sampleRate / probe.fftSize;
		const silent = s.filter((x) => x === 0).length / s.length;
		return Math.abs(hz - 1193182 / 1193) < 3 && silent < 0.05 || hz + ' Hz, silent ' + silent;
	})()`, "true")
	b.shot("sound")
	b.click("#sound")
	b.until(`document.querySelector('#sound').getAttribute('aria-pressed')`, "false")
	b.until(`probe.context.state`, "closed")
	b.click("#tab-monitor")
	b.typed("quit\n")
	g.ends(slow)
}
