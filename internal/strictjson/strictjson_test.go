package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func Example() {
	members, err := Object([]byte(`{"size": 4, "Size": [1, {"a": "}"}]}`))
	fmt.Printf("%s %s %v\n", members["size"], members["Size"], err)
	_, err = Object([]byte(`{"size": 4, "s\u0069ze": 5}`))
	fmt.Println(err)
	// Output:
	// 4 [1, {"a": "}"}] <nil>
	// has the name "size" twice
}

func TestObjectRefuses(t *testing.T) {
	for _, text := range []string{"", "[]", "1", "{", "{}{}", `{"a":1,}`, "{\"\xff\":1}", "null", strings.Repeat("[", 1<<20)} {
		if _, err := Object([]byte(text)); err == nil {
			t.Errorf("%.20q: accepted", text)
		}
	}
}

// FuzzObject compares with the standard decoder, which agrees on all objects
// whose names come once.
func FuzzObject(f *testing.F) {
	f.Add([]byte(` { "a" : [ 1 , "]" ] , "\u0041\"" : { } , "" : -1e5 } `))
	f.Add([]byte(`{"a":{"a":{"a":null}},"b":true}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		members, err := Object(text)
		var want map[string]json.RawMessage
		wantErr := json.Unmarshal(text, &want)
		if err != nil {
			return
		}
		if wantErr != nil || len(members) != len(want) {
			t.Fatalf("%q: %q where %q, %v is due", text, members, want, wantErr)
		}
		for name, value := range members {
			var a, b any
			if json.Unmarshal(value, &a) != nil || json.Unmarshal(want[name], &b) != nil || !reflect.DeepEqual(a, b) {
				t.Errorf("%q: member %q is %q where %q is due", text, name, value, want[name])
			}
		}
	})
}
