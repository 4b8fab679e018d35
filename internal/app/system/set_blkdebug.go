package system

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"rhea/internal/block"
	"rhea/internal/block/blkdebug"
	"rhea/internal/block/qcow2"
	"rhea/internal/prop"
)

// Inject is what blkdebug makes fail in an image.
type Inject struct {
	Config string // a file with rules, "" = none
	Rules  blkdebug.Rules
}

// cutInject takes "blkdebug:CONFIG:IMAGE", QEMU's old spelling, apart.
func (d *Drive) cutInject() error {
	rest, ok := strings.CutPrefix(d.File, "blkdebug:")
	if !ok {
		return nil
	}
	config, file, ok := strings.Cut(rest, ":")
	if !ok || file == "" {
		return fmt.Errorf("'%s' is not blkdebug:config:image", d.File)
	}
	d.File, d.Inject = file, &Inject{Config: config}
	return nil
}

var injectKey = regexp.MustCompile(`^(inject-error|set-state)\.([0-9]+)\.([a-z_]+)$`)

// takeRules reads the rules among the keys of a -blockdev blkdebug, which are
// numbered, and returns the other keys.
func (n *Inject) takeRules(l prop.List) (prop.List, error) {
	var rest prop.List
	var names []string
	sections := map[string]*blkdebug.Section{}
	for _, o := range l {
		m := injectKey.FindStringSubmatch(o.Key)
		if m == nil {
			rest = append(rest, o)
			continue
		}
		name := m[1] + "." + m[2]
		if sections[name] == nil {
			s, err := blkdebug.NewSection(m[1])
			if err != nil {
				return nil, err
			}
			sections[name] = s
			names = append(names, name)
		}
		if err := sections[name].Set(m[3], o.Value); err != nil {
			return nil, fmt.Errorf("parameter '%s': %w", o.Key, err)
		}
	}
	for _, name := range names {
		if err := n.Rules.Add(sections[name]); err != nil {
			return nil, fmt.Errorf("parameter '%s': %w", name, err)
		}
	}
	return rest, nil
}

// open reads the rules. A nil Inject has none.
func (n *Inject) open() (*blkdebug.Injector, error) {
	if n == nil {
		return nil, nil
	}
	r := blkdebug.Rules{Errors: slices.Clone(n.Rules.Errors), Changes: slices.Clone(n.Rules.Changes)}
	if n.Config != "" {
		f, err := os.Open(n.Config)
		if err != nil {
			return nil, fmt.Errorf("could not open the rules '%s': %w", n.Config, reason(err))
		}
		defer f.Close()
		if err := r.Parse(f); err != nil {
			return nil, fmt.Errorf("the rules '%s': %w", n.Config, err)
		}
	}
	return blkdebug.New(r), nil
}

// faulty is a file that an Injector watches.
type faulty struct {
	qcow2.Storage
	in *blkdebug.Injector
}

func (f faulty) ReadAt(p []byte, off int64) (int, error) {
	if err := f.in.Check(block.Read, off, len(p)); err != nil {
		return 0, err
	}
	return f.Storage.ReadAt(p, off)
}

func (f faulty) WriteAt(p []byte, off int64) (int, error) {
	if err := f.in.Check(block.Write, off, len(p)); err != nil {
		return 0, err
	}
	return f.Storage.WriteAt(p, off)
}

func (f faulty) Sync() error {
	if err := f.in.Check(block.Flush, 0, 0); err != nil {
		return err
	}
	return f.Storage.Sync()
}

// faultyImage is a raw image that an Injector watches.
type faultyImage struct {
	image
	in *blkdebug.Injector
}

func (f faultyImage) ReadOnly() bool { return block.IsReadOnly(f.image) }

func (f faultyImage) ReadAt(p []byte, off int64) (int, error) {
	if err := f.in.Check(block.Read, off, len(p)); err != nil {
		return 0, err
	}
	return f.image.ReadAt(p, off)
}

func (f faultyImage) WriteAt(p []byte, off int64) (int, error) {
	if err := f.in.Check(block.Write, off, len(p)); err != nil {
		return 0, err
	}
	return f.image.WriteAt(p, off)
}

func (f faultyImage) Sync() error {
	if err := f.in.Check(block.Flush, 0, 0); err != nil {
		return err
	}
	return f.image.Sync()
}
