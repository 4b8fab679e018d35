package devtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"rhea/internal/snap"
)

// Conform checks what holds for every part: a second reset changes nothing;
// Settle is idempotent; state saved anywhere loads into a fresh part, which
// then saves the same and drives the same levels; a hostile stream is refused
// or leaves a part that lives; and the schema is the one in
// testdata/schema.golden (RHEA_UPDATE=1 writes it).
func Conform(t *testing.T, build Build) {
	t.Helper()
	t.Run("reset", func(t *testing.T) { conformReset(t, build) })
	t.Run("state", func(t *testing.T) { conformState(t, build) })
	t.Run("hostile", func(t *testing.T) { conformHostile(t, build) })
	t.Run("schema", func(t *testing.T) { conformSchema(t, build) })
}

func save(t testing.TB, b *Bench) *snap.Tree {
	t.Helper()
	tree, err := snap.SaveTree(b.dev)
	if err != nil {
		t.Fatalf("save: %v", err)
	}
	return tree
}

func conformReset(t *testing.T, build Build) {
	for seed := range uint64(20) {
		b := New(build, 12345)
		b.stir(rand.New(rand.NewPCG(seed, 1)), 500)
		b.dev.Reset()
		b.Settle()
		first, levels := save(t, b), b.levels()
		b.dev.Reset()
		b.Settle()
		if again := save(t, b); !reflect.DeepEqual(first, again) {
			t.Fatalf("seed %d: a second reset changes the state:\n%s", seed, diff(first, again))
		}
		if l := b.levels(); l != levels {
			t.Fatalf("seed %d: a second reset changes the outputs: %s, were %s", seed, l, levels)
		}
	}
}

func conformState(t *testing.T, build Build) {
	for seed := range uint64(50) {
		b := New(build, 1_000_000)
		b.stir(rand.New(rand.NewPCG(seed, 2)), 300)
		b.Settle()
		levels := b.levels()
		tree := save(t, b)
		b.Settle()
		if l := b.levels(); l != levels {
			t.Fatalf("seed %d: a second Settle changes the outputs: %s, were %s", seed, l, levels)
		}
		if again := save(t, b); !reflect.DeepEqual(tree, again) {
			t.Fatalf("seed %d: a second Settle changes the state:\n%s", seed, diff(tree, again))
		}
		fresh := New(build, b.Clock.Now())
		if err := snap.LoadTree(fresh.dev, tree); err != nil {
			t.Fatalf("seed %d: load of a saved state: %v", seed, err)
		}
		fresh.Settle()
		if again := save(t, fresh); !reflect.DeepEqual(tree, again) {
			t.Fatalf("seed %d: the state changes when saved and loaded:\n%s", seed, diff(tree, again))
		}
		if l := fresh.levels(); l != levels {
			t.Fatalf("seed %d: after a load the outputs are %s, were %s", seed, l, levels)
		}
		// Both go on alike.
		r1, r2 := rand.New(rand.NewPCG(seed, 3)), rand.New(rand.NewPCG(seed, 3))
		b.stir(r1, 100)
		fresh.stir(r2, 100)
		if x, y := save(t, b), save(t, fresh); !reflect.DeepEqual(x, y) {
			t.Fatalf("seed %d: a loaded part goes on differently:\n%s", seed, diff(x, y))
		}
	}
}

// conformHostile loads streams in which one field is absurd.
func conformHostile(t *testing.T, build Build) {
	nums := []uint64{0, 1, 2, 7, 16, 17, 255, 256, 65535, 65536, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 52, 1<<63 - 1, 1 << 63, ^uint64(0)}
	n := countFields(save(t, New(build, 0)))
	for i := range n {
		for j, v := range nums {
			b := New(build, 1_000_000)
			r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
			b.stir(r, 100)
			tree := save(t, b)
			k := i
			spoil(tree, &k, v)
			if err := snap.LoadTree(b.dev, tree); err != nil {
				b.dev.Reset()
			}
			b.Settle()
			b.stir(r, 200)
		}
	}
}

func countFields(t *snap.Tree) int {
	n := len(t.Fields)
	for _, s := range t.Subs {
		n += countFields(s)
	}
	return n
}

func spoil(t *snap.Tree, i *int, v uint64) {
	for j := range t.Fields {
		if *i == 0 {
			f := &t.Fields[j]
			switch f.Kind {
			case snap.Bytes:
				if v&1 != 0 {
					for k := range f.Data {
						f.Data[k] = byte(v >> (k % 8 * 8))
					}
				} else {
					f.Data = make([]byte, v&0xffff)
				}
			case snap.Bool:
				f.Num ^= 1
			default:
				f.Num = v
			}
		}
		*i--
	}
	for _, s := range t.Subs {
		spoil(s, i, v)
	}
}

func conformSchema(t *testing.T, build Build) {
	got := snap.Schema(New(build, 0).dev)
	name := filepath.Join("testdata", "schema.golden")
	if os.Getenv("RHEA_UPDATE") != "" {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the schema has changed (RHEA_UPDATE=1 accepts it); it is\n%s\nwas\n%s", got, want)
	}
}
