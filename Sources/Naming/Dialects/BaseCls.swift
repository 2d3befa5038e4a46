extension Dialect {
  /// The MegEngine model zoo. It has no RepVGGplus; the names of its parts are the official ones.
  public static let baseCls = Dialect(
    builtIn: """
      name: basecls
      like: official
      project: megvii-research/basecls (MegEngine)
      source: basecls/models/repvgg.py, basecls/layers/heads.py, basecls/layers/modules.py, configs/base_cfg.py of github.com/megvii-research/basecls at 2f206e9b
      containers: megengine
      input: BGR 255 / 103.53 116.28 123.675 / 57.375 57.12 58.395
      batchnorm counter:
      classifier: head.fc
      kernel layout: GOIHW
      bias layout: 1C11
      family: RepVGG
      squeeze before: se.f_ex.0
      excite before: se.f_ex.2
      squeeze after: post_se.f_ex.0
      excite after: post_se.f_ex.2
      """, like: official.text)
}
