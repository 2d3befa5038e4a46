/// How the page and the drawing look: nothing is fetched from elsewhere, colours follow the reader's choice
/// of light or dark.
enum PageStyle {
  private static let light =
    "--ground:#fff;--text:#1c2024;--muted:#5a636d;--line:#d9dee4;--fill:#f4f6f8;--accent:#2f6fd0;"
    + "--before:#b35c00;--good:#156c2f;--bad:#b3261e;--warn:#7a5200;--good-fill:#e8f5ec;"
    + "--bad-fill:#fdecea;--warn-fill:#fdf5e2;--b0:#2f6fd0;--b1:#d07a1f;--b2:#2a8f5b;--b3:#8e5bc0;"
    + "--b4:#b8485f;--b5:#6b7580"
  private static let dark =
    "--ground:#111418;--text:#e4e8ec;--muted:#9ba5b0;--line:#303740;--fill:#1a1f25;--accent:#7aa9f0;"
    + "--before:#e5a35a;--good:#7fd39a;--bad:#ff8f86;--warn:#e9c46a;--good-fill:#152a1c;"
    + "--bad-fill:#331917;--warn-fill:#2e2611;--b0:#7aa9f0;--b1:#e5a35a;--b2:#6cc594;--b3:#bb95e6;"
    + "--b4:#e88a9c;--b5:#98a2ad"

  private static let colours =
    ":root{color-scheme:light dark;\(light)}\n"
    + "@media(prefers-color-scheme:dark){:root{\(dark)}}"

  private static let drawing = """
    .drawing text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--text)}
    .drawing .title{font-weight:600;font-size:13px}
    .drawing .detail{fill:var(--text)}
    .drawing .name,.drawing .size{fill:var(--muted);font-size:11px}
    .drawing .size{font-size:10px}
    .drawing .times{font-weight:600;font-size:13px;fill:var(--accent)}
    .drawing .box{stroke:var(--line)}
    .drawing .layer{fill:var(--fill)}
    .drawing .other{fill:none}
    .drawing .edge,.drawing .bracket,.drawing .rule{fill:none;stroke:var(--muted)}
    .drawing .rule{stroke:var(--line);stroke-dasharray:2 3}
    .drawing .skip{stroke:var(--accent)}
    .drawing .bracket{stroke:var(--accent)}
    """

  /// Of a drawing that is a document by itself.
  static let drawingAlone = "\(colours)\n.ground{fill:var(--ground)}\n\(drawing)"

  /// Of the page.
  static let page = """
    \(colours)
    *{box-sizing:border-box}
    html{-webkit-text-size-adjust:100%}
    body{margin:0;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
    main{max-width:78rem;margin:0 auto;padding:1.5rem 1rem 4rem}
    h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .3rem;overflow-wrap:anywhere}
    h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
    p{margin:.4rem 0;max-width:46rem}
    code,.hash{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.86em;overflow-wrap:anywhere}
    .kicker,.muted,figcaption,.legend{color:var(--muted);font-size:.9rem}
    .kicker{margin:0}
    .verdict{margin:1rem 0;padding:.7rem 1rem;border-radius:.5rem;border-left:4px solid;max-width:none}
    .verdict p{margin:.2rem 0 0;max-width:none}
    .good{color:var(--good);background:var(--good-fill);border-color:var(--good)}
    .bad{color:var(--bad);background:var(--bad-fill);border-color:var(--bad)}
    .warn{color:var(--warn);background:var(--warn-fill);border-color:var(--warn)}
    .good-text{color:var(--good)}.bad-text{color:var(--bad);font-weight:600}
    .facts{display:flex;flex-wrap:wrap;gap:1px;margin:1.2rem 0;background:var(--line);border:1px solid var(--line);border-radius:.5rem;overflow:hidden}
    .facts div{flex:1 1 9.5rem;background:var(--ground);padding:.6rem .8rem}
    .facts dt{color:var(--muted);font-size:.8rem}
    .facts dd{margin:0;font-size:1.15rem;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
    .facts dd small{display:block;font-weight:400;font-size:.8rem;color:var(--muted)}
    .columns{display:grid;grid-template-columns:minmax(0,1fr);gap:0 2.5rem}
    .columns>*{min-width:0}
    @media(min-width:64rem){.columns.drawn{grid-template-columns:23.5rem minmax(0,1fr)}}
    figure{margin:0}
    .drawing{display:block;max-width:100%;height:auto}
    .scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.5rem}
    table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
    th,td{padding:.45rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
    tbody tr:last-child>*{border-bottom:0}
    thead th{font-weight:600;color:var(--muted);background:var(--fill);vertical-align:bottom}
    tbody th{font-weight:400;min-width:11rem}
    .layers tbody th{min-width:14rem}
    tbody th small,td small{display:block;color:var(--muted);font-size:.92em}
    .number{text-align:right}
    td.number{white-space:nowrap}
    .histogram,.shares{display:block}
    .histogram .now{fill:var(--accent);opacity:.75}
    .histogram .before{fill:none;stroke:var(--before);stroke-width:1.2}
    .histogram .zero{stroke:var(--muted);stroke-dasharray:2 2;fill:none}
    .range{display:flex;justify-content:space-between;width:192px;color:var(--muted);font-size:.92em}
    .shares{border-radius:2px;margin:.35rem 0 .25rem}
    .key{display:inline-block;width:.65em;height:.65em;border-radius:2px;margin-right:.3em}
    .branch0{fill:var(--b0);background:var(--b0)}.branch1{fill:var(--b1);background:var(--b1)}
    .branch2{fill:var(--b2);background:var(--b2)}.branch3{fill:var(--b3);background:var(--b3)}
    .branch4{fill:var(--b4);background:var(--b4)}.branch5{fill:var(--b5);background:var(--b5)}
    .now-key{background:var(--accent)}.before-key{background:none;border:1.5px solid var(--before)}
    .nowrap{white-space:nowrap;margin-right:.5em}
    dl.list{display:grid;grid-template-columns:minmax(6rem,max-content) minmax(0,1fr);gap:.3rem 1.2rem;margin:0;font-size:.92rem}
    dl.list dt{color:var(--muted)}
    dl.list dd{margin:0;overflow-wrap:anywhere}
    @media(max-width:36rem){dl.list{grid-template-columns:minmax(0,1fr);gap:0}dl.list dd{margin-bottom:.5rem}}
    ul{padding-left:1.2rem;margin:.3rem 0}
    li{overflow-wrap:anywhere}
    details summary{cursor:pointer}
    \(drawing)
    @media print{.scroll{overflow:visible}}
    """
}
