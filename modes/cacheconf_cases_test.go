package modes

import "fmt"

// reply is what the origin says to one request. down cuts the connection.
type reply struct {
	status int
	fields string // "Name: value; ..." separated by "|"
	body   string
	down   bool
}

// step is one request and what must come of it.
type step struct {
	method, fields string
	origin         reply // if it is asked
	// asked: "yes" and "no" say whether the origin must be asked, "" that both are right.
	asked  string
	status int    // 0: any
	body   string // "": any
	// sees is looked for among what the origin received, has among the reply's fields.
	sees, has string
}

// cacheCase is a sequence of requests for one URL.
type cacheCase struct {
	id, rule string
	optional bool // an optimisation, or a service: not showing it breaks no rule
	steps    []step
}

func ok(fields string) reply    { return reply{200, fields, "first", false} }
func again(fields string) reply { return reply{200, fields, "second", false} }
func dead() reply               { return reply{down: true} }

// notReused returns the usual two steps: what is stored after the first must not answer the second.
func notReused(id, rule, fields, first, second string) cacheCase {
	return cacheCase{id, rule, false, []step{
		{fields: first, origin: ok(fields), body: "first"}, {fields: second, origin: again(fields), asked: "yes", body: "second"},
	}}
}

func reused(id, rule, fields string) cacheCase {
	return cacheCase{id, rule, true, []step{{origin: ok(fields), body: "first"}, {origin: again(fields), asked: "no", body: "first"}}}
}

// outage returns two steps with the origin gone at the second.
func outage(id, rule, fields string, optional bool, second step) cacheCase {
	second.origin = dead()
	return cacheCase{id, rule, optional, []step{{origin: ok(fields), body: "first"}, second}}
}

// changed returns three steps: an unsafe method between two GETs.
func changed(id, method string, status int) cacheCase {
	return cacheCase{id, "RFC 9111 4.4", false, []step{
		{origin: ok("Cache-Control: max-age=3600"), body: "first"},
		{method: method, origin: reply{status: status, body: "done"}, asked: "yes", status: status},
		{origin: again("Cache-Control: max-age=3600"), asked: "yes", body: "second"},
	}}
}

func cacheCases() []cacheCase {
	past, long := "Thu, 01 Jan 2015 00:00:00 GMT", "Cache-Control: max-age=3600"
	cc := func(v string) string { return "Cache-Control: " + v }
	cases := []cacheCase{
		reused("fresh max-age", "4.2.1", long),
		reused("fresh s-maxage over max-age=0", "4.2.1", cc("max-age=0, s-maxage=3600")),
		reused("fresh Expires", "4.2.1", "Expires: Thu, 01 Jan 2099 00:00:00 GMT"),
		reused("fresh by heuristic", "4.2.2", "Last-Modified: "+past),
		reused("Vary on a field that did not change", "4.1", long+"|Vary: Foo"),
		notReused("no-store", "5.2.2.5", cc("no-store, max-age=3600"), "", ""),
		notReused("NO-STORE in capitals", "5.2", cc("NO-STORE, max-age=3600"), "", ""),
		notReused("no-store in a second field", "5.2", long+"|"+cc("no-store"), "", ""),
		notReused("no-cache", "5.2.2.4", cc("no-cache, max-age=3600"), "", ""),
		notReused("private", "5.2.2.7", cc("private, max-age=3600"), "", ""),
		notReused("max-age=0", "4.2", cc("max-age=0"), "", ""),
		notReused("s-maxage=0 over max-age", "5.2.2.10", cc("s-maxage=0, max-age=3600"), "", ""),
		notReused("Expires in the past", "5.3", "Expires: "+past, "", ""),
		notReused("Expires: 0", "5.3", "Expires: 0", "", ""),
		notReused("max-age=0 over Expires", "5.3", cc("max-age=0")+"|Expires: Thu, 01 Jan 2099 00:00:00 GMT", "", ""),
		notReused("Age beyond max-age", "4.2.3", long+"|Age: 7200", "", ""),
		notReused("Date long ago", "4.2.3", long+"|Date: "+past, "", ""),
		notReused("request with Authorization", "3.5", long, "Authorization: Basic eDp5", "Authorization: Basic eDp5"),
		notReused("Vary: *", "4.1", long+"|Vary: *", "", ""),
		notReused("Vary on a field that changed", "4.1", long+"|Vary: Foo", "Foo: 1", "Foo: 2"),
		notReused("Vary in two fields", "4.1", long+"|Vary: Foo|Vary: Bar", "Bar: 1", "Bar: 2"),
		notReused("request no-cache", "5.2.1.4", long, "", "Cache-Control: no-cache"),
		notReused("request max-age=0", "5.2.1.1", long, "", "Cache-Control: max-age=0"),
		notReused("request no-store", "5.2.1.5", long, "Cache-Control: no-store", ""),
		notReused("must-revalidate and stale", "5.2.2.2", cc("max-age=0, must-revalidate"), "", ""),
		changed("POST invalidates", "POST", 200), changed("PUT invalidates", "PUT", 201),
		changed("DELETE invalidates", "DELETE", 204), changed("PATCH invalidates", "PATCH", 200), changed("POST with redirect invalidates", "POST", 303),
		{"reply to POST is not reused", "RFC 9110 9.3.3", false, []step{
			{method: "POST", origin: ok(long), body: "first"}, {origin: again(long), asked: "yes", body: "second"}}},
		{"reply to HEAD is no body", "RFC 9110 9.3.2", false, []step{
			{method: "HEAD", origin: ok(long)}, {origin: again(long), asked: "yes", body: "second"}}},
		{"206 is not the whole", "3.3", false, []step{
			{fields: "Range: bytes=0-1", origin: reply{206, long + "|Content-Range: bytes 0-1/6", "se", false}, status: 206},
			{origin: again(long), asked: "yes", body: "second", status: 200}}},
		{"404 without freshness is not reused", "4.2.2", false, []step{
			{origin: reply{404, "", "first", false}, status: 404}, {origin: again(""), asked: "yes", status: 200}}},
		{"the reader's own 304 passes", "4.3.2", false, []step{
			{fields: `If-None-Match: "a"`, origin: reply{304, `Etag: "a"`, "", false}, asked: "yes", status: 304}}},
		{"stale is validated by its ETag", "4.3.1", true, []step{
			{origin: ok(cc("max-age=0") + `|Etag: "a"`)},
			{origin: reply{304, cc("max-age=0") + `|Etag: "a"`, "", false}, asked: "yes", sees: `If-None-Match: "a"`, body: "first"}}},
		{"a range of what is stored", "RFC 9110 14.2", true, []step{
			{origin: ok(long), body: "first"}, {fields: "Range: bytes=1-2", origin: reply{206, long + "|Content-Range: bytes 1-2/5", "ir", false}, asked: "no", status: 206, body: "ir"}}},
		{"If-Range that differs gets the whole", "RFC 9110 13.1.5", false, []step{
			{origin: ok(long + `|Etag: "a"`)}, {fields: `Range: bytes=1-2|If-Range: "b"`, origin: again(long + `|Etag: "b"`), status: 200}}},
		{"only-if-cached without a copy", "5.2.1.7", false, []step{
			{fields: "Cache-Control: only-if-cached", origin: ok(long), asked: "no", status: 504}}},
		{"only-if-cached with a fresh copy", "5.2.1.7", true, []step{
			{origin: ok(long)}, {fields: "Cache-Control: only-if-cached", origin: again(long), asked: "no", status: 200, body: "first"}}},
		{"fields named by Connection go", "RFC 9110 7.6.1", false, []step{
			{fields: "Connection: X-Hop|X-Hop: 1", origin: reply{200, "Connection: X-Back|X-Back: 1", "first", false}, sees: "!X-Hop", has: "!X-Back"}}},
		{"no-transform leaves bytes as they are", "RFC 9110 7.7", false, []step{
			{origin: ok(cc("no-transform") + "|Content-Encoding: gzip"), body: "first", has: "Content-Encoding"}}},
		{"no warmed-up error", "CPDoS", false, []step{
			{fields: "X-Odd: 1", origin: reply{400, "", "bad", false}, status: 400}, {origin: again(""), asked: "yes", status: 200}}},

		outage("down: a fresh copy", "4.2.4", long, true, step{status: 200, body: "first"}),
		outage("down: a stale copy", "4.2.4", cc("max-age=0"), true, step{status: 200, body: "first"}),
		outage("down: a stale copy tells its Age", "5.1", long+"|Date: "+past, true, step{status: 200, body: "first", has: "Age"}),
		outage("down: a copy by stale-if-error", "RFC 5861 4", cc("max-age=0, stale-if-error=600"), true, step{status: 200, body: "first"}),
		outage("down: nothing of no-store", "5.2.2.5", cc("no-store"), false, step{status: 502}),
		outage("down: nothing of private", "5.2.2.7", cc("private, max-age=3600"), false, step{status: 502}),
		outage("down: nothing of another Vary", "4.1", long+"|Vary: Foo", false, step{fields: "Foo: 2", status: 502}),
		outage("down: must-revalidate is not shown as if fresh", "5.2.2.2", cc("max-age=0, must-revalidate"), false, step{has: "?marked"}),
		outage("down: no-cache is not shown as if fresh", "5.2.2.4", cc("no-cache"), false, step{has: "?marked"}),
		outage("down: a reload is not shown as if fresh", "5.2.1.4", cc("max-age=0"), false, step{fields: "Cache-Control: no-cache", has: "?marked"}),
		outage("down: a range of the copy", "RFC 9110 14.2", long, true, step{fields: "Range: bytes=1-2", status: 206, body: "ir"}),
		outage("down: 304 for the reader's tag", "4.3.2", long+`|Etag: "a"`, true, step{fields: `If-None-Match: "a"`, status: 304}),
		outage("down: HEAD", "RFC 9110 9.3.2", long, true, step{method: "HEAD", status: 200}),
		outage("down: POST fails", "RFC 9110 9.2.1", long, false, step{method: "POST", status: 502}),
		outage("down: an authorised request gets no copy of another's", "3.5", cc("max-age=0"), false, step{fields: "Authorization: Basic eDp5", has: "?marked"}),
		{"down: no copy is an error", "", false, []step{{origin: dead(), status: 502}}},
	}
	for _, status := range []int{502, 503, 504} {
		cases = append(cases, cacheCase{fmt.Sprintf("gateway's %d: a copy instead", status), "RFC 5861 4", true, []step{
			{origin: ok(cc("max-age=0, stale-if-error=600")), body: "first"}, {origin: reply{status, "", "broken", false}, status: 200, body: "first"}}},
			cacheCase{fmt.Sprintf("gateway's %d passes when there is no copy", status), "", false, []step{{origin: reply{status, "", "broken", false}, status: status, body: "broken"}}})
	}
	return cases
}
