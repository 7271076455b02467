package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"parley/internal/bert"
)

// Card is what the model card says of where the model is from and how good it is.
// What is empty is left out.
type Card struct {
	Title   string
	Summary string
	Base    string // the checkpoint that training began with
	Data    string
	Plan    string // of the training, as YAML
	Seed    uint64
	Results []Result
	Notes   []string
}

// Result is a measured figure.
type Result struct {
	Collection string
	Measure    string
	Value      float64
}

// readme returns the README.md of the folder: a head that hubs read, then the
// card.
func (w *Writing) readme() []byte {
	var b bytes.Buffer
	c := w.Card
	fmt.Fprintf(&b, "---\nlibrary_name: sentence-transformers\npipeline_tag: feature-extraction\ntags:\n- sparse-encoder\n- splade\n- conversational-search\n")
	if isHubName(c.Base) {
		fmt.Fprintf(&b, "base_model: %s\n", quoted(c.Base))
	}
	title := c.Title
	if title == "" {
		title = "Sparse encoder"
	}
	fmt.Fprintf(&b, "---\n\n# %s\n\n", line(title))
	if c.Summary != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(c.Summary))
	}
	w.writeFacts(&b)
	if len(c.Results) > 0 {
		fmt.Fprintf(&b, "\n## Results\n\n| collection | measure | value |\n| --- | --- | ---: |\n")
		for _, r := range c.Results {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", line(r.Collection), line(r.Measure), strconv.FormatFloat(r.Value, 'f', 4, 64))
		}
	}
	if len(c.Notes) > 0 {
		fmt.Fprintf(&b, "\n## Notes\n\n")
		for _, note := range c.Notes {
			fmt.Fprintf(&b, "- %s\n", line(note))
		}
	}
	w.writeUse(&b)
	if c.Plan != "" {
		fmt.Fprintf(&b, "\n## Training plan\n\n```yaml\n%s\n```\n", strings.ReplaceAll(strings.TrimSpace(c.Plan), "```", "` ` `"))
	}
	return b.Bytes()
}

// writeFacts writes the table of what the model is and where it is from.
func (w *Writing) writeFacts(b *bytes.Buffer) {
	fmt.Fprintf(b, "| | |\n| --- | --- |\n")
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "| %s | %s |\n", name, line(value))
		}
	}
	if w.Query == nil {
		row("encoder", w.Passage.described())
	} else {
		row("encoder of passages", w.Passage.described())
		row("encoder of queries", w.Query.described())
	}
	row("vocabulary", fmt.Sprintf("%d tokens", w.Passage.Vocabulary.Len()))
	row("base", w.Card.Base)
	row("data", w.Card.Data)
	row("seed", strconv.FormatUint(w.Card.Seed, 10))
	row("made with", "Parley")
}

// described returns what the part is, in a line.
func (p *Part) described() string {
	if p.Static != nil {
		return "fixed weights of terms, no network"
	}
	c := p.Config
	query, passage, _ := p.lengths()
	head := fmt.Sprintf("%v head, %v pooling, %v", c.Head.Kind, c.Head.Pooling, c.Head.Saturation)
	return fmt.Sprintf("%v of %d layers × %d, %s; queries of up to %d tokens, passages of up to %d", c.Family, c.Layers, c.Hidden, head, query, passage)
}

// writeUse writes how others load the model.
func (w *Writing) writeUse(b *bytes.Buffer) {
	if w.Query == nil && !w.Passage.isSplade() {
		return
	}
	fmt.Fprintf(b, "\n## Use\n\n```python\nfrom sentence_transformers import SparseEncoder\n\nmodel = SparseEncoder(%s)\n"+
		"queries = model.encode_query([\"who built the tower\"])\npassages = model.encode_document([\"The tower was built in 1889.\"])\n"+
		"print(model.similarity(queries, passages))\n```\n", quoted("path/to/this/folder"))
	if w.Passage.Config.Head.Kind == bert.MaskedLM {
		fmt.Fprintf(b, "\nA conversation is written newest turn first, its utterances parted by [SEP]: `parley encode` does it.\n")
	}
}

// isHubName tells whether base looks like OWNER/NAME on the hub, not like a path.
func isHubName(base string) bool {
	owner, name, ok := strings.Cut(base, "/")
	return ok && owner != "" && name != "" && !strings.ContainsAny(name, "/\\ ") && !strings.ContainsAny(owner, ".\\~ ")
}

// quoted returns text as a string of YAML and Python: JSON's is one of both.
func quoted(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings encode
	}
	return string(data)
}

// line returns text as one line of Markdown that cannot end a cell of a table.
func line(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}
