package qcow2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rhea/internal/block"
	"rhea/internal/block/raw"
)

// qemuImg runs QEMU's tool, which is the judge here.
func qemuImg(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("no qemu-img (Debian package qemu-utils)")
	}
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func check(t *testing.T, path string) {
	t.Helper()
	if out := qemuImg(t, "check", path); !strings.Contains(out, "No errors were found") {
		t.Errorf("%s", out)
	}
}

func openFile(t *testing.T, path string, readOnly bool) *Image {
	t.Helper()
	mode := os.O_RDWR
	if readOnly {
		mode = os.O_RDONLY
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		t.Fatal(err)
	}
	i, err := Open(f, path, Options{ReadOnly: readOnly, Backing: func(name, format string) (block.Backend, error) {
		name = filepath.Join(filepath.Dir(path), name)
		if format == "raw" {
			return raw.Open(name, true)
		}
		return openFile(t, name, true), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// same compares the disk in an image with what it should be, as QEMU sees it.
func same(t *testing.T, path string, want []byte) {
	t.Helper()
	out := path + ".raw"
	qemuImg(t, "convert", "-O", "raw", path, out)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: qemu-img sees another disk (%d and %d bytes)", path, len(got), len(want))
	}
}

// work does random things to an image and to a model of the disk.
func work(t *testing.T, i *Image, model []byte, seed uint64, steps int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	size := int64(len(model))
	for step := range steps {
		off := r.Int64N(size)
		n := r.Int64N(min(size-off, []int64{1, 600, 5000, 70000, 300000}[r.IntN(5)])) + 1
		if r.IntN(2) == 0 {
			off, n = off&^511, (n+511)&^511
			n = min(n, size-off)
		}
		b := make([]byte, n)
		switch r.IntN(10) {
		case 0, 1, 2, 3:
			for k := range b {
				b[k] = byte(r.Uint32())
			}
			if _, err := i.WriteAt(b, off); err != nil {
				t.Fatalf("step %d: write of %d at %d: %v", step, n, off, err)
			}
			copy(model[off:], b)
		case 4:
			if err := i.WriteZeroes(off, n); err != nil {
				t.Fatal(err)
			}
			clear(model[off : off+n])
		case 5:
			if err := i.Discard(off, n); err != nil {
				t.Fatal(err)
			}
			if _, err := i.ReadAt(model[off:off+n], off); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
		case 6:
			if err := i.Sync(); err != nil {
				t.Fatal(err)
			}
		default:
			if _, err := i.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("step %d: read of %d at %d: %v", step, n, off, err)
			}
			if !bytes.Equal(b, model[off:off+n]) {
				t.Fatalf("step %d: %d bytes at %d are not what was written", step, n, off)
			}
		}
	}
}

func TestAgainstQEMU(t *testing.T) {
	const size = 9<<20 + 512
	for n, options := range []string{
		"compat=1.1", "compat=0.10", "cluster_size=512", "cluster_size=4096,refcount_bits=1", "cluster_size=2M",
		"cluster_size=1024,refcount_bits=64", "refcount_bits=8,cluster_size=512", "lazy_refcounts=on", "preallocation=metadata",
		"refcount_bits=4,cluster_size=8k", "refcount_bits=2", "refcount_bits=32",
	} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "i.qcow2")
			qemuImg(t, "create", "-f", "qcow2", "-o", options, path, fmt.Sprint(size))
			model := make([]byte, size)
			for round := range 2 {
				i := openFile(t, path, false)
				if i.Size() != size {
					t.Errorf("size %d", i.Size())
				}
				work(t, i, model, uint64(n*10+round), 300)
				if err := i.Close(); err != nil {
					t.Fatal(err)
				}
				check(t, path)
				same(t, path, model)
			}
		})
	}
}

func TestCreate(t *testing.T) {
	for n, o := range []CreateOptions{{}, {Version: 2}, {ClusterBits: 9}, {ClusterBits: 21}, {ClusterBits: 12, Version: 2}} {
		path := filepath.Join(t.TempDir(), "i.qcow2")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		const size = 5 << 20
		if err := Create(f, size, o); err != nil {
			t.Fatal(err)
		}
		f.Close()
		check(t, path)
		model := make([]byte, size)
		i := openFile(t, path, false)
		work(t, i, model, uint64(n), 200)
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, path)
		same(t, path, model)
	}
	for _, o := range []CreateOptions{{Version: 4}, {ClusterBits: 8}, {ClusterBits: 22}, {Backing: strings.Repeat("x", 1024)}} {
		if err := Create(newMemory(nil), 1<<20, o); err == nil {
			t.Errorf("%+v was made", o)
		}
	}
}

// A file that has grown beyond its table of reference counts gets a larger one.
func TestTableGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i.qcow2")
	f, _ := os.Create(path)
	const size = 40 << 20 // with clusters of 512 bytes a table of one cluster is for 8 MiB
	if err := Create(f, size, CreateOptions{ClusterBits: 9}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	i := openFile(t, path, false)
	model := make([]byte, size)
	for k := range model {
		model[k] = byte(k>>9) ^ byte(k)
	}
	for off := 0; off < size; off += 1 << 20 {
		if _, err := i.WriteAt(model[off:off+1<<20], int64(off)); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path)
	same(t, path, model)
}

func TestBackingAndCompressed(t *testing.T) {
	dir := t.TempDir()
	const size = 6 << 20
	base := make([]byte, size-1000)
	r := rand.New(rand.NewPCG(3, 4))
	for k := range base {
		base[k] = byte(r.Uint32() >> (k >> 16 & 31))
	}
	if err := os.WriteFile(filepath.Join(dir, "base.raw"), base, 0o666); err != nil {
		t.Fatal(err)
	}
	for n, kind := range []string{"zlib", "zstd"} {
		mid := filepath.Join(dir, kind+".qcow2")
		qemuImg(t, "convert", "-f", "raw", "-c", "-O", "qcow2", "-o", "compression_type="+kind, filepath.Join(dir, "base.raw"), mid)
		for m, top := range []string{"raw:base.raw", "qcow2:" + kind + ".qcow2"} {
			format, name, _ := strings.Cut(top, ":")
			path := filepath.Join(dir, fmt.Sprintf("top%d%d.qcow2", n, m))
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := Create(f, size, CreateOptions{Backing: name, Format: format, Version: 2 + n}); err != nil {
				t.Fatal(err)
			}
			f.Close()
			model := append(bytes.Clone(base), make([]byte, size-len(base))...)
			i := openFile(t, path, false)
			work(t, i, model, uint64(10*n+m), 200)
			if err := i.Close(); err != nil {
				t.Fatal(err)
			}
			check(t, path)
			same(t, path, model)
		}
		// The compressed image itself.
		i := openFile(t, mid, false)
		model := append(bytes.Clone(base), make([]byte, int(i.Size())-len(base))...)
		work(t, i, model, uint64(n), 200)
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, mid)
		same(t, mid, model)
	}
}

// What a snapshot has is not overwritten.
func TestSnapshotsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "i.qcow2")
	const size = 4 << 20
	qemuImg(t, "create", "-f", "qcow2", path, fmt.Sprint(size))
	model := make([]byte, size)
	var states [][]byte
	for n := range 3 {
		i := openFile(t, path, false)
		work(t, i, model, uint64(n), 100)
		if err := i.Close(); err != nil {
			t.Fatal(err)
		}
		states = append(states, bytes.Clone(model))
		qemuImg(t, "snapshot", "-c", fmt.Sprint("s", n), path)
	}
	i := openFile(t, path, false)
	work(t, i, model, 99, 100)
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, path)
	same(t, path, model)
	for n := len(states) - 1; n >= 0; n-- {
		qemuImg(t, "snapshot", "-a", fmt.Sprint("s", n), path)
		same(t, path, states[n])
		qemuImg(t, "snapshot", "-d", fmt.Sprint("s", n), path)
	}
	check(t, path)
}

// --- images in memory

// memory is Storage without a file. It fails once it has had enough writes, if
// left is not negative.
type memory struct {
	b    []byte
	left int
}

func newMemory(b []byte) *memory { return &memory{b, -1} }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// maxMemory bounds what a hostile image makes of itself in tests.
const maxMemory = 64 << 20

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	if m.left == 0 || off < 0 || off > maxMemory-int64(len(p)) {
		return 0, errors.New("no space")
	}
	m.left--
	if need := int(off) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *memory) Sync() error                { return nil }
func (m *memory) Close() error               { return nil }
func (m *memory) Truncate(n int64) error     { return errors.New("no") }
func (m *memory) Stat() (os.FileInfo, error) { return m, nil }
func (m *memory) Name() string               { return "memory" }
func (m *memory) Size() int64                { return int64(len(m.b)) }
func (m *memory) Mode() fs.FileMode          { return 0o666 }
func (m *memory) ModTime() time.Time         { return time.Time{} }
func (m *memory) IsDir() bool                { return false }
func (m *memory) Sys() any                   { return nil }

// A host that fails at any write leaves an image that is whole, but for clusters
// that nobody uses.
func TestFailingHost(t *testing.T) {
	const size = 2 << 20
	for left := 8; left < 400; left += 7 {
		m := newMemory(nil)
		if err := Create(m, size, CreateOptions{ClusterBits: 12}); err != nil {
			t.Fatal(err)
		}
		m.left = left
		i, err := Open(m, "memory", Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(left), 2))
		for range 200 {
			b := bytes.Repeat([]byte{byte(r.Uint32())}, 1+r.IntN(20000))
			if _, err := i.WriteAt(b, r.Int64N(size-int64(len(b)))); err != nil {
				break
			}
			if r.IntN(4) == 0 && i.Sync() != nil {
				break
			}
		}
		path := filepath.Join(t.TempDir(), "i.qcow2")
		if err := os.WriteFile(path, m.b, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := exec.LookPath("qemu-img"); err != nil {
			t.Skip("no qemu-img (Debian package qemu-utils)")
		}
		out, err := exec.Command("qemu-img", "check", path).CombinedOutput()
		var code *exec.ExitError
		if err != nil && !(errors.As(err, &code) && code.ExitCode() == 3) { // 3: leaked clusters only
			t.Fatalf("after %d writes: %v\n%s", left, err, out)
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	m := newMemory(nil)
	if err := Create(m, 1<<30, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	good := bytes.Clone(m.b)
	for _, x := range []struct {
		name string
		at   int
		v    uint64
		size int
		want string
	}{
		{"magic", 0, 0, 4, "no qcow2"}, {"version", 4, 9, 4, "version 9"}, {"cluster bits", 20, 63, 4, "2^63"}, {"small clusters", 20, 3, 4, "2^3"},
		{"encrypted", 32, 1, 4, "encrypted"}, {"huge L1 (CVE-2014-0143)", 36, 0xffffffff, 4, "L1 table has"},
		{"L1 too small", 36, 0, 4, "too small"}, {"L1 beyond the end", 40, 1 << 40, 8, "no good place"}, {"L1 offset overflows", 40, ^uint64(0) &^ 0xffff, 8, "no good place"},
		{"L1 not aligned", 40, 0x10001, 8, "no good place"}, {"huge table of counts (CVE-2014-0144)", 56, 0x7fffffff, 4, "clusters"},
		{"no table of counts", 56, 0, 4, "clusters"}, {"snapshots (CVE-2014-0145)", 60, 0xffffffff, 4, "snapshots"},
		{"unknown feature", 72, 1 << 20, 8, "incompatible"}, {"data file", 72, 4, 8, "another file"}, {"extended L2", 72, 16, 8, "extended"},
		{"dirty", 72, 1, 8, "check -r all"}, {"corrupt", 72, 2, 8, "corrupt"}, {"width", 96, 7, 4, "2^7"}, {"header length", 100, 0xfffffff8, 4, "more than a cluster"},
		{"odd header length", 100, 105, 4, "105 bytes"}, {"size", 24, 1 << 63, 8, "too large"}, {"backing name", 8, 0x100, 8, "backing"},
	} {
		m := newMemory(bytes.Clone(good))
		for k := range x.size {
			m.b[x.at+k] = byte(x.v >> (8 * (x.size - 1 - k)))
		}
		if x.name == "backing name" {
			be.PutUint32(m.b[16:], 5000)
		}
		if _, err := Open(m, "x", Options{}); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	for n := range 200 {
		if _, err := Open(newMemory(good[:n]), "x", Options{}); err == nil {
			t.Errorf("an image of %d bytes was opened", n)
		}
	}
}

// An L2 table that is the L1 table, data in the header, and the like.
func TestOverlappingTables(t *testing.T) {
	for _, x := range []struct {
		name string
		l1   uint64
		l2   uint64 // entry 0
	}{
		{"L2 is L1", 3 << 16, 0}, {"L2 in the header", 0, 0}, {"L2 far away", 1 << 40, 0}, {"data in the header", 5 << 16, 0 | copied},
		{"data is L1", 5 << 16, 3<<16 | copied}, {"data is the table of counts", 5 << 16, 1<<16 | copied}, {"compressed far away", 5 << 16, compressed | 1<<50},
		{"data not aligned", 5 << 16, 0x10200 | copied},
	} {
		m := newMemory(nil)
		if err := Create(m, 1<<30, CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		m.WriteAt(make([]byte, 1<<16), 5<<16)
		be.PutUint64(m.b[3<<16:], x.l1|copied)
		be.PutUint64(m.b[5<<16:], x.l2)
		head := bytes.Clone(m.b[:3<<16])
		i, err := Open(m, "x", Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 1<<17)
		i.ReadAt(b, 0)
		i.WriteAt(bytes.Repeat([]byte{0x5a}, 100000), 512)
		i.Sync()
		if strings.HasPrefix(x.name, "data ") && bytes.Contains(m.b[:2<<16], []byte{0x5a, 0x5a, 0x5a, 0x5a}) {
			t.Errorf("%s: tables were overwritten", x.name)
		}
		_ = head
	}
}

func FuzzImage(f *testing.F) {
	for _, o := range []CreateOptions{{ClusterBits: 9}, {ClusterBits: 9, Version: 2}, {ClusterBits: 10, Backing: "b"}} {
		m := newMemory(nil)
		if err := Create(m, 100000, o); err != nil {
			f.Fatal(err)
		}
		i, err := Open(m, "x", Options{Backing: func(string, string) (block.Backend, error) { return raw.Open(os.DevNull, true) }})
		if err == nil {
			i.WriteAt(bytes.Repeat([]byte("abc"), 5000), 3000)
			i.Close()
		}
		f.Add(m.b, uint64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		m := newMemory(bytes.Clone(data))
		i, err := Open(m, "x", Options{Backing: func(string, string) (block.Backend, error) { return nil, errors.New("none") }})
		if err != nil {
			return
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for range 20 {
			off := r.Int64N(i.Size() + 1)
			if r.IntN(2) == 0 {
				off = r.Int64N(1 << 17)
			}
			n := min(r.Int64N(5000), max(i.Size()-off, 0))
			b := make([]byte, n)
			switch r.IntN(5) {
			case 0:
				i.WriteAt(b, off)
			case 1:
				i.Sync()
			case 2:
				i.Discard(off, n)
			case 3:
				i.WriteZeroes(off, n)
			default:
				i.ReadAt(b, off)
			}
		}
		i.Close()
	})
}
