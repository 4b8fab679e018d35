package web

import (
	"errors"
	"image"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rhea/internal/display"
	"rhea/internal/display/vnc"
)

// machine notes what is pressed.
type machine struct{ did []string }

func (m *machine) Status() string  { return "running" }
func (m *machine) Reset()          { m.did = append(m.did, "reset") }
func (m *machine) PowerDown()      { m.did = append(m.did, "power") }
func (m *machine) Stop()           { m.did = append(m.did, "stop") }
func (m *machine) Cont() error     { return errors.New("it cannot") }
func (m *machine) Drives() []Drive { return []Drive{{"ide1-cd0", "a.iso"}} }
func (m *machine) Media() []string { return []string{"/images/b.iso"} }
func (m *machine) Change(drive, file string) error {
	m.did = append(m.did, drive+"="+file)
	return nil
}

// source is a picture of 8 x 4.
type source struct{}

func (source) Draw(s *display.Surface, full bool) image.Rectangle {
	s.Resize(8, 4)
	return image.Rect(0, 0, 8, 4)
}
func (source) Text() []string { return nil }

func serve(t *testing.T, change func(*Config)) (*machine, *httptest.Server) {
	t.Helper()
	m := &machine{}
	do := func(f func()) { f() }
	c := Config{Title: "test", Machine: m, Screen: display.NewScreen(display.ScreenConfig{Do: do, Source: source{}})}
	c.VNC = vnc.New(vnc.Config{Screen: c.Screen, Input: display.NewInput(do, nil), Do: do})
	change(&c)
	s := httptest.NewServer(New(c))
	t.Cleanup(s.Close)
	return m, s
}

// client keeps cookies.
func client(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

func status(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestButtons(t *testing.T) {
	m, s := serve(t, func(*Config) {})
	c := client(t)
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/api/reset", "", 204}, {"POST", "/api/power", "", 204}, {"POST", "/api/stop", "", 204}, {"POST", "/api/cont", "", 409},
		{"POST", "/api/change", `{"drive":"ide1-cd0","file":"b.iso"}`, 204}, {"POST", "/api/change", `{`, 409}, {"POST", "/api/format", "", 404},
		{"GET", "/api/reset", "", 404}, {"GET", "/", "", 200}, {"GET", "/app.js", "", 200}, {"GET", "/../web.go", "", 404}, {"GET", "/lib/../../web.go", "", 404},
		{"GET", "/ws/console/none", "", 404}, {"GET", "/api/screenshot.png", "", 200},
	} {
		if got, body := status(t, c, x.method, s.URL+x.path, x.body); got != x.want {
			t.Errorf("%s %s: %d, want %d: %s", x.method, x.path, got, x.want, body)
		}
	}
	if got := strings.Join(m.did, " "); got != "reset power stop ide1-cd0=b.iso" {
		t.Errorf("pressed: %s", got)
	}
	if _, body := status(t, c, "GET", s.URL+"/api/state", ""); !strings.Contains(body, `"ide1-cd0"`) || !strings.Contains(body, `"running"`) {
		t.Errorf("state %s", body)
	}
}

func TestPassword(t *testing.T) {
	m, s := serve(t, func(c *Config) { c.Password = "secret" })
	c := client(t)
	if got, _ := status(t, c, "POST", s.URL+"/api/reset", ""); got != 401 {
		t.Errorf("a stranger's reset: %d", got)
	}
	if _, body := status(t, c, "GET", s.URL+"/", ""); !strings.Contains(body, "Password") || strings.Contains(body, "app.js") {
		t.Errorf("a stranger sees %s", body)
	}
	if got, _ := status(t, c, "GET", s.URL+"/?token=", ""); got != 200 {
		t.Errorf("%d", got)
	}
	login := func(p string) {
		r, err := c.PostForm(s.URL+"/login", url.Values{"password": {p}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	login("Secret")
	if got, _ := status(t, c, "POST", s.URL+"/api/reset", ""); got != 401 {
		t.Errorf("with a wrong password: %d", got)
	}
	login("secret")
	if got, _ := status(t, c, "POST", s.URL+"/api/reset", ""); got != 204 || len(m.did) != 1 {
		t.Errorf("with the password: %d", got)
	}
	for _, path := range []string{"/ws/screen", "/ws/console/x", "/api/screenshot.png", "/api/state", "/app.js"} {
		if got, _ := status(t, client(t), "GET", s.URL+path, ""); got != 401 {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestToken(t *testing.T) {
	_, s := serve(t, func(c *Config) { c.Token = "abc" })
	c := client(t)
	if got, _ := status(t, c, "GET", s.URL+"/?token=abd", ""); got != 200 {
		t.Errorf("%d", got)
	}
	if got, _ := status(t, c, "GET", s.URL+"/api/state", ""); got != 401 {
		t.Errorf("with a wrong token: %d", got)
	}
	status(t, c, "GET", s.URL+"/?token=abc", "")
	if got, _ := status(t, c, "GET", s.URL+"/api/state", ""); got != 200 {
		t.Errorf("with the token: %d", got)
	}
	// An empty password lets nobody in.
	r, err := client(t).PostForm(s.URL+"/login", url.Values{"password": {""}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.Request.URL.Fragment != "wrong" {
		t.Error("an empty password let somebody in")
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "127.9.9.9": true, "": false, "0.0.0.0": false,
		"10.0.0.1": false, "localhost.example.com": false, "127.0.0.1.example.com": false} {
		if Loopback(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

// FuzzWeb is a hostile browser: what it asks for, and its headers. Who has not
// logged in presses no button.
func FuzzWeb(f *testing.F) {
	f.Add("POST", "/api/change", "127.0.0.1", "http://127.0.0.1", "rhea=1", `{"Drive":"a","File":"b"}`, true)
	f.Add("GET", "/ws/console/%2e%2e", "localhost:1", "", "", "", false)
	f.Add("GET", "/?token=x", "[::1]:2", "null", "", "password=x", true)
	f.Add("GET", "/lib/../../../etc/passwd", "a.b", "http://a.b", "", "", false)
	f.Add("POST", "/login", "h", "", "", "password=secre", true)
	do := func(f func()) { f() }
	screen := display.NewScreen(display.ScreenConfig{Do: do, Source: source{}})
	f.Fuzz(func(t *testing.T, method, target, host, origin, cookies, body string, locked bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Path == "/login" && method == "POST" && locked { // it takes its time
			return
		}
		m := &machine{}
		c := Config{Title: "test", Machine: m, Screen: screen, Do: do}
		c.VNC = vnc.New(vnc.Config{Screen: screen, Input: display.NewInput(do, nil), Do: do})
		if locked {
			c.Password, c.Token = "secret of the machine", NewToken()
		}
		r := &http.Request{Method: method, URL: u, Host: host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"Origin": {origin}, "Cookie": {cookies}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"},
				"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}}
		w := httptest.NewRecorder()
		New(c).ServeHTTP(w, r)
		if len(m.did) > 0 && (locked || origin != "" && !strings.HasSuffix(strings.ToLower(origin), "://"+strings.ToLower(host))) {
			t.Errorf("%s %s of %s did %q", method, target, origin, m.did)
		}
		if strings.Contains(w.Body.String(), "root:x:") {
			t.Error("a file of the host's came")
		}
	})
}
