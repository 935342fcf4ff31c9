// The first script of the page: it says that the lab is loading and, when it cannot start, why.
//
// A classic script in the JavaScript of 2009, because it must run where nothing else does: from file://, in a browser
// without modules, without WebAssembly. It loads nothing itself; `run.js` does, and tells what went wrong to
// `labStart`, which this leaves on the window. Where not even this script runs, the text in index.html stays.

(function () {
  "use strict";

  var RELOADED_FOR = "cache-lab-reloaded-for";
  var BROWSERS = "Chrome / Edge 97, Firefox 108, Safari 16";

  // Every reason: what is wrong, and what to do about it. `$` is a detail.
  var WORDS = {
    en: {
      loading: "Loading the simulator …",
      again: "Try again",
      file: [
        "The lab was opened as a file",
        "From file:// a browser loads neither modules nor WebAssembly. Serve this directory and open the address that the server names:"
      ],
      modules: ["This browser is too old: it has no JavaScript modules", "The lab needs $ or newer."],
      wasm: [
        "This browser has no WebAssembly",
        "It may be turned off for this page, as a lockdown mode or enhanced security does: allow it, then try again. Otherwise the lab needs $ or newer."
      ],
      features: ["This browser is too old: its WebAssembly lacks features", "The lab needs $ or newer. What is missing:"],
      syntax: ["This browser is too old: it cannot read the lab's script", "The lab needs $ or newer. The browser says:"],
      policy: [
        "A policy of this server forbids what the lab needs",
        "Its Content-Security-Policy must allow script-src 'self' 'wasm-unsafe-eval', style-src 'self', worker-src 'self' and connect-src 'self'. What it forbade:"
      ],
      missing: [
        "A file of the lab is missing on the server",
        "Copy the whole dist directory there, then try again. What is missing:"
      ],
      unreachable: [
        "A file of the lab did not arrive",
        "The server does not answer, or the network is down. What did not arrive:"
      ],
      stale: [
        "This page is older than the lab on the server",
        "The lab was upgraded, and reloading still gives the old page: a cache on the way keeps it. Empty the browser's cache for this site, or wait until that cache lets it go. What is gone:"
      ],
      crash: ["The simulator did not start", "Try again; if that does not help, this is what to report:"]
    },
    ja: {
      loading: "シミュレーターを読み込んでいます…",
      again: "再試行",
      file: [
        "ラボがファイルとして開かれました",
        "file:// では、ブラウザーはモジュールも WebAssembly も読み込みません。このディレクトリーをサーバーで配信し、サーバーが示すアドレスを開いてください："
      ],
      modules: [
        "ブラウザーが古く、JavaScript モジュールに対応していません",
        "$ 以降が必要です。"
      ],
      wasm: [
        "このブラウザーでは WebAssembly が使えません",
        "ロックダウンモードやセキュリティ強化機能が、このページで無効にしている可能性があります。許可してから再試行してください。それ以外の場合は $ 以降が必要です。"
      ],
      features: [
        "ブラウザーが古く、WebAssembly の機能が足りません",
        "$ 以降が必要です。足りない機能："
      ],
      syntax: [
        "ブラウザーが古く、ラボのスクリプトを解釈できません",
        "$ 以降が必要です。ブラウザーのメッセージ："
      ],
      policy: [
        "サーバーのポリシーが、ラボに必要なものを禁止しています",
        "Content-Security-Policy で script-src 'self' 'wasm-unsafe-eval'、style-src 'self'、worker-src 'self'、connect-src 'self' を許可してください。禁止されたもの："
      ],
      missing: [
        "サーバーにラボのファイルがありません",
        "dist ディレクトリーを丸ごとサーバーに置いてから、再試行してください。見つからないもの："
      ],
      unreachable: [
        "ラボのファイルが届きませんでした",
        "サーバーが応答しないか、ネットワークが切れています。届かなかったもの："
      ],
      stale: [
        "このページは、サーバー上のラボより古いものです",
        "ラボは更新されましたが、再読み込みしても古いページが返されます。途中のキャッシュが残っています。ブラウザーでこのサイトのキャッシュを消すか、しばらく待ってください。なくなったもの："
      ],
      crash: [
        "シミュレーターを開始できませんでした",
        "再試行してください。直らない場合は、次の内容をお知らせください："
      ]
    }
  };

  // Small modules that only a browser with the feature accepts; those that index.html tells wasm-opt of.
  var FEATURES = {
    "bulk memory": [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 10, 13, 1, 11, 0, 65, 0, 65, 0, 65, 0, 252, 11, 0, 11],
    "multiple results": [1, 6, 1, 96, 0, 2, 127, 127, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 65, 0, 11],
    "mutable globals": [6, 6, 1, 127, 1, 65, 0, 11, 7, 5, 1, 1, 103, 3, 0],
    "non-trapping conversions": [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 12, 1, 10, 0, 67, 0, 0, 0, 0, 252, 0, 26, 11],
    "reference types": [4, 4, 1, 111, 0, 1],
    "sign extension": [1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 192, 26, 11]
  };
  var PREAMBLE = [0, 97, 115, 109, 1, 0, 0, 0];

  var language = kept("cache-lab-language") || navigator.language || "en";
  var lang = /^ja/.test(language) ? "ja" : "en";
  var words = WORDS[lang];
  // What the lab could not start for: its kind and details.
  var failure = null;
  var forbidden = [];
  // The addresses of the files that did not come.
  var gone = [];

  /** What the lab has kept in this browser; nothing where that is forbidden. */
  function kept(name) {
    try {
      return localStorage.getItem(name);
    } catch (_) {
      return null;
    }
  }

  function element(name, parent, text) {
    var made = document.createElement(name);
    if (text) made.textContent = text;
    parent.appendChild(made);
    return made;
  }

  /** Draws what is known: that the lab is loading, or why it does not start. */
  function draw() {
    var boot = document.getElementById("boot");
    if (!boot) return;
    boot.textContent = "";
    boot.lang = lang;
    boot.setAttribute("data-state", failure ? "failed" : "loading");
    boot.setAttribute("role", failure ? "alert" : "status");
    if (!failure) {
      element("p", boot, words.loading);
      return;
    }
    boot.setAttribute("data-reason", failure.kind);
    element("h1", boot, words[failure.kind][0]);
    element("p", boot, words[failure.kind][1].replace("$", BROWSERS));
    var details = failure.details;
    if (details.length > 0) element("code", boot, details.join("\n")).id = "boot-reason";
    var again = element("button", boot, words.again);
    again.type = "button";
    again.onclick = function () {
      location.reload();
    };
    dress(boot);
  }

  /** Gives the message a shape of its own where its style sheet did not come. */
  function dress(boot) {
    var isGone = gone.some(function (address) {
      return /^start-.*\.css$/.test(nameOf(address));
    });
    if (!isGone) return;
    boot.style.cssText = "max-width: 32rem; margin: 30vh auto 0; padding: 0 24px; font: 14px/20px system-ui, sans-serif";
    var shapes = {
      H1: "margin: 0; font-size: 17px; font-weight: 600",
      P: "margin: 12px 0",
      CODE: "display: block; margin: 12px 0; padding: 8px 12px; border: 1px solid; white-space: pre-wrap",
      BUTTON: "padding: 8px 16px; border: 1px solid; font: inherit; font-weight: 600"
    };
    for (var i = 0; i < boot.children.length; i += 1) boot.children[i].style.cssText = shapes[boot.children[i].nodeName];
  }

  /** Says why the lab does not start. The first reason stays: the others follow from it. */
  function fail(kind, details) {
    if (failure) return;
    failure = { kind: kind, details: details || [] };
    // What the policy of the server forbade is why a file did not come or did not run.
    if (forbidden.length > 0) failure = { kind: "policy", details: forbidden };
    draw();
  }

  /** The name of a file of the lab, as the server's owner knows it. */
  function nameOf(address) {
    return address.split(/[?#]/)[0].split("/").pop() || address;
  }

  /** Finds out why a file did not come, and says it. */
  function lost(address, said) {
    var name = nameOf(address);
    gone.push(address);
    if (!window.fetch) return fail("missing", [name]);
    fetch(address, { cache: "no-store" }).then(function (answer) {
      // Some servers answer whatever they do not have with their front page.
      var isPage = /^text\/html/.test(answer.headers.get("content-type") || "");
      if (answer.ok && !isPage) return fail("crash", [name + (said ? ": " + said : "")]);
      if (answer.status >= 500) return fail("unreachable", [name + " (" + answer.status + ")"]);
      return reloadIfStale(name, isPage ? "text/html" : answer.status);
    })["catch"](function () {
      fail("unreachable", [name]);
    });
  }

  /** A file is gone: because the lab was upgraded since this page was sent, or because it was never there. */
  function reloadIfStale(name, status) {
    var page = location.href.split("#")[0];
    return fetch(page, { cache: "reload" }).then(function (answer) {
      return answer.text();
    }).then(function (now) {
      var isStale = now.indexOf("id=\"boot\"") >= 0 && now.indexOf(name) < 0;
      if (!isStale) return fail("missing", [name + " (" + status + ")"]);
      if (mayReload(name)) location.reload();
      else fail("stale", [name]);
    });
  }

  /** Whether the page may be loaded anew by itself: once, until it has started. */
  function mayReload(name) {
    try {
      if (sessionStorage.getItem(RELOADED_FOR)) return false;
      sessionStorage.setItem(RELOADED_FOR, name);
      return true;
    } catch (_) {
      return false;
    }
  }

  function started() {
    try {
      sessionStorage.removeItem(RELOADED_FOR);
    } catch (_) {
      // Nothing was kept either.
    }
  }

  function lacking() {
    return Object.keys(FEATURES).filter(function (name) {
      return !WebAssembly.validate(new Uint8Array(PREAMBLE.concat(FEATURES[name])));
    });
  }

  /** Whether the smallest module may be compiled: a policy forbids all of them. */
  function mayCompile() {
    try {
      return Boolean(new WebAssembly.Module(new Uint8Array(PREAMBLE)));
    } catch (_) {
      return false;
    }
  }

  /** What can be known before anything is loaded. */
  function look() {
    if (location.protocol === "file:") return fail("file", ["lab serve --dist .", "python3 -m http.server"]);
    if (!("noModule" in document.createElement("script"))) return fail("modules");
    if (typeof WebAssembly !== "object") return fail("wasm");
    var missing = lacking();
    if (missing.length > 0) return fail("features", missing);
    if (!mayCompile()) fail("policy", ["script-src: WebAssembly"]);
  }

  document.addEventListener("securitypolicyviolation", function (event) {
    var directive = event.effectiveDirective || event.violatedDirective;
    // A style attribute or an icon that is not allowed does not keep the lab from starting.
    if (event.disposition === "report" || !/^(script|style-src-elem|style-src$|connect|default|worker)/.test(directive)) return;
    var what = /^wasm/.test(event.blockedURI) ? "WebAssembly" : nameOf(event.blockedURI);
    forbidden.push(directive.replace(/-elem$/, "") + ": " + what);
    if (!failure || failure.kind === "file") return;
    failure = { kind: "policy", details: forbidden };
    draw();
  });
  addEventListener("error", function (event) {
    if (!document.getElementById("boot")) return;
    var from = event.target;
    if (from && from !== window) {
      if (from.nodeName === "SCRIPT" || from.rel === "stylesheet") lost(from.src || from.href);
    } else if (/SyntaxError/.test(event.message)) {
      fail("syntax", [nameOf(event.filename || "") + ": " + event.message]);
    } else {
      fail("crash", [event.message]);
    }
  }, true);
  addEventListener("unhandledrejection", function (event) {
    if (document.getElementById("boot")) fail("crash", [String(event.reason)]);
  });

  var dark = kept("cache-lab-dark");
  if (dark) document.documentElement.setAttribute("data-theme", dark === "true" ? "dark" : "light");
  document.documentElement.lang = lang;
  look();
  // The first moment at which the whole page is there: the scripts that wait for that come after it.
  document.addEventListener("readystatechange", function () {
    if (document.readyState === "interactive") draw();
  });
  window.labStart = {
    lang: lang,
    fail: fail,
    lost: lost,
    started: started,
    failed: function () {
      return failure !== null || gone.length > 0;
    },
    isGone: function (address) {
      return gone.indexOf(address) >= 0;
    }
  };
})();
