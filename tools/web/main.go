// Web fetches noVNC and xterm.js, which are npm packages, into the folder that
// internal/display/web embeds. With -optional it is no failure if that cannot be
// done, but in CI=true it is.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// parts are the packages, with what is taken of each: files, and folders.
var parts = []struct {
	name, version, integrity string // sha512, as the registry gives it
	folder                   string
	take                     []string
}{
	{
		"@novnc/novnc", "1.7.0", "ucEJOx4T2avIRCleodk7YobZj5O2Ga2AeLfQ69A/yjG9HHba2+PDgwSkN3FttrmG+70ZGx21sElNFouK13RzyA==",
		"novnc", []string{"core/", "vendor/", "LICENSE.txt"},
	},
	{
		"@xterm/xterm", "6.0.0", "TQwDdQGtwwDt+2cgKDLn0IRaSxYu1tSUjgKarSDkUM0ZNiSRXFpjxEsvc/Zgc5kq5omJ+V0a8/kIM2WD3sMOYg==",
		"xterm", []string{"lib/xterm.mjs", "css/xterm.css", "LICENSE"},
	},
}

// maxPackage bounds what is fetched, and each file in it.
const maxPackage = 32 << 20

func main() {
	optional := flag.Bool("optional", false, "it is no failure if nothing can be fetched")
	dist := flag.String("to", "internal/display/web/dist", "the `folder`")
	flag.Parse()
	if err := fetchAll(*dist); err != nil {
		fmt.Fprintf(os.Stderr, "web: %v: the web page is built without noVNC and xterm.js\n", err)
		if !*optional || os.Getenv("CI") == "true" {
			os.Exit(1)
		}
	}
}

func fetchAll(dist string) error {
	stamp := filepath.Join(dist, ".versions")
	versions := ""
	for _, p := range parts {
		versions += p.name + "@" + p.version + "\n"
	}
	if have, err := os.ReadFile(stamp); err == nil && string(have) == versions {
		return nil
	}
	registry := os.Getenv("npm_config_registry")
	if registry == "" {
		registry = "https://registry.npmjs.org/"
	}
	for _, p := range parts {
		url := fmt.Sprintf("%s/%s/-/%s-%s.tgz", strings.TrimSuffix(registry, "/"), p.name, path.Base(p.name), p.version)
		b, err := fetch(url)
		if err != nil {
			return err
		}
		sum := sha512.Sum512(b)
		if got := base64.StdEncoding.EncodeToString(sum[:]); subtle.ConstantTimeCompare([]byte(got), []byte(p.integrity)) != 1 {
			return fmt.Errorf("%s is not what it should be (sha512 %s)", url, got)
		}
		to := filepath.Join(dist, p.folder)
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		if err := unpack(b, to, p.take); err != nil {
			return fmt.Errorf("%s: %w", url, err)
		}
	}
	return os.WriteFile(stamp, []byte(versions), 0o666)
}

func fetch(url string) ([]byte, error) {
	c := http.Client{Timeout: 2 * time.Minute}
	r, err := c.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, r.Status)
	}
	return io.ReadAll(io.LimitReader(r.Body, maxPackage))
}

// unpack writes what is to be taken of a package, whose files are below a folder
// of their own.
func unpack(b []byte, to string, take []string) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(h.Name, "/")
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(name) || !wanted(name, take) {
			continue
		}
		file := filepath.Join(to, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(t, maxPackage))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			return err
		}
	}
}

func wanted(name string, take []string) bool {
	for _, w := range take {
		if name == w || strings.HasSuffix(w, "/") && strings.HasPrefix(name, w) {
			return true
		}
	}
	return false
}
