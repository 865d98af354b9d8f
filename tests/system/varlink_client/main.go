// SPDX-License-Identifier: MIT

// A client over the Varlink library of others: nothing here knows how brood speaks.
//
//   client ADDRESS info                     the answer of GetInfo, as JSON
//   client ADDRESS describe INTERFACE       what the library's parser finds: one name a line
//   client ADDRESS call METHOD PARAMETERS   one reply as JSON; exit status 1 and the error's name
//   client ADDRESS more COUNT METHOD PARAMETERS
//                                           so many replies, one a line
//   client ADDRESS oneway METHOD PARAMETERS

package main

import (
    "context"
    "encoding/json"
    "fmt"
    "os"
    "strconv"
    "time"

    "github.com/varlink/go/varlink"
    "github.com/varlink/go/varlink/idl"
)

func check(err error) {
    if failure, ok := err.(*varlink.Error); ok {
        text := "{}"
        if raw, ok := failure.Parameters.(*json.RawMessage); ok && raw != nil {
            text = string(*raw)
        }
        fmt.Println(failure.Name, text)
        os.Exit(1)
    }
    if err != nil {
        fmt.Printf("%T %v\n", err, err)
        os.Exit(1)
    }
}

func info(ctx context.Context, c *varlink.Connection) {
    var vendor, product, version, url string
    var interfaces []string
    check(c.GetInfo(ctx, &vendor, &product, &version, &url, &interfaces))
    text, err := json.Marshal(map[string]interface{}{"vendor": vendor, "product": product,
        "version": version, "url": url, "interfaces": interfaces})
    check(err)
    fmt.Println(string(text))
}

func describe(ctx context.Context, c *varlink.Connection, name string) {
    text, err := c.GetInterfaceDescription(ctx, name)
    check(err)
    parsed, err := idl.New(text)
    check(err)
    fmt.Println("interface", parsed.Name)
    for _, member := range parsed.Members {
        switch m := member.(type) {
        case *idl.Method:
            fmt.Println("method", m.Name)
        case *idl.Error:
            fmt.Println("error", m.Name)
        case *idl.Alias:
            fmt.Println("type", m.Name)
        }
    }
}

func send(ctx context.Context, c *varlink.Connection, count int, flags uint64, words []string) {
    receive, err := c.Send(ctx, words[0], json.RawMessage(words[1]), flags)
    check(err)
    for i := 0; i < count; i++ {
        var reply json.RawMessage
        again, err := receive(ctx, &reply)
        check(err)
        fmt.Println(string(reply))
        if again&varlink.Continues == 0 {
            break
        }
    }
}

func main() {
    ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
    defer cancel()
    c, err := varlink.NewConnection(ctx, os.Args[1])
    check(err)
    defer c.Close()
    words := os.Args[3:]
    switch os.Args[2] {
    case "info":
        info(ctx, c)
    case "describe":
        describe(ctx, c, words[0])
    case "call":
        send(ctx, c, 1, 0, words)
    case "oneway":
        send(ctx, c, 0, varlink.Oneway, words)
    case "more":
        count, err := strconv.Atoi(words[0])
        check(err)
        send(ctx, c, count, varlink.More, words[1:])
    default:
        panic(os.Args[2])
    }
}
