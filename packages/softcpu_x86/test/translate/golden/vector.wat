  (func $region1 (type 0) (param i64 i32) (result i32)
    (local v128 v128 v128 i64 v128 v128 v128 v128 i32 v128 i32 v128 i32 i32 i32)
    (block  ;; label = @1
      (if  ;; label = @2
        (i32.ne
          (i32.load offset=4384
            (i32.const 0))
          (i32.const 0))
        (then
          (local.set 5
            (i64.const 65536))
          (br 1 (;@1;))))
      (local.set 2
        (v128.load offset=4736
          (i32.const 0)))
      (local.set 3
        (v128.load offset=4800
          (i32.const 0)))
      (local.set 4
        (v128.load offset=4864
          (i32.const 0)))
      (if  ;; label = @2
        (i32.lt_s
          (local.get 1)
          (i32.const 3))
        (then
          (local.set 5
            (i64.const 0))
          (br 1 (;@1;))))
      (local.set 6
        (v128.load offset=4768
          (i32.const 0)))
      (local.set 8
        (f64x2.add
          (local.tee 7
            (local.get 2))
          (local.get 6)))
      (if  ;; label = @2
        (i32.and
          (i32.eq
            (i32.and
              (i32.load offset=4584
                (i32.const 0))
              (i32.const 65504))
            (i32.const 8096))
          (i32.and
            (i64x2.bitmask
              (v128.and
                (f64x2.ge
                  (f64x2.pmin
                    (f64x2.abs
                      (local.get 7))
                    (f64x2.abs
                      (local.get 6)))
                  (f64x2.splat
                    (f64.const 0x1p-1022 (;=2.22507e-308;))))
                (f64x2.lt
                  (f64x2.abs
                    (local.get 8))
                  (f64x2.splat
                    (f64.const inf (;=inf;))))))
            (i32.const 1)))
        (then
          (local.set 2
            (f64x2.replace_lane 0
              (local.tee 9
                (local.get 2))
              (f64x2.extract_lane 0
                (local.get 8))))
          (v128.store offset=4736
            (i32.const 0)
            (local.get 2)))
        (else
          (if  ;; label = @3
            (local.tee 10
              (call 0
                (local.get 7)
                (local.get 6)
                (local.get 8)
                (v128.const i32x4 0x00000000 0x00000000 0xffffffff 0xffffffff)))
            (then
              (local.set 2
                (f64x2.replace_lane 0
                  (local.tee 11
                    (local.get 2))
                  (f64x2.extract_lane 0
                    (local.get 8))))
              (v128.store offset=4736
                (i32.const 0)
                (local.get 2)))
            (else
              (v128.store offset=5248
                (i32.const 0)
                (local.get 7))
              (v128.store offset=5264
                (i32.const 0)
                (local.get 6))
              (local.set 5
                (i64.const 0))
              (br 2 (;@1;))))))
      (local.set 13
        (v128.load offset=4832
          (i32.const 0)))
      (local.set 9
        (f32x4.mul
          (local.tee 11
            (local.get 3))
          (local.get 13)))
      (if  ;; label = @2
        (i32.and
          (i32.eq
            (i32.and
              (i32.load offset=4584
                (i32.const 0))
              (i32.const 65504))
            (i32.const 8096))
          (i32.eq
            (i32x4.bitmask
              (v128.and
                (v128.and
                  (f32x4.ge
                    (f32x4.pmin
                      (f32x4.abs
                        (local.get 11))
                      (f32x4.abs
                        (local.get 13)))
                    (f32x4.splat
                      (f32.const 0x1p-126 (;=1.17549e-38;))))
                  (f32x4.lt
                    (f32x4.abs
                      (local.get 9))
                    (f32x4.splat
                      (f32.const inf (;=inf;)))))
                (f32x4.gt
                  (f32x4.abs
                    (local.get 9))
                  (f32x4.splat
                    (f32.const 0x1p-126 (;=1.17549e-38;))))))
            (i32.const 15)))
        (then
          (local.set 3
            (local.get 9))
          (v128.store offset=4800
            (i32.const 0)
            (local.get 3)))
        (else
          (if  ;; label = @3
            (local.tee 10
              (call 1
                (local.get 11)
                (local.get 13)
                (local.get 9)
                (i32x4.splat
                  (i32.const 0))))
            (then
              (local.set 3
                (local.get 9))
              (v128.store offset=4800
                (i32.const 0)
                (local.get 3)))
            (else
              (v128.store offset=5248
                (i32.const 0)
                (local.get 11))
              (v128.store offset=5264
                (i32.const 0)
                (local.get 13))
              (local.set 5
                (i64.const 524289))
              (br 2 (;@1;))))))
      (local.set 9
        (v128.load offset=4896
          (i32.const 0)))
      (local.set 4
        (i8x16.add
          (local.tee 11
            (local.get 4))
          (local.get 9)))
      (v128.store offset=4864
        (i32.const 0)
        (local.get 4))
      (i64.store offset=4312
        (i32.const 0)
        (i64.add
          (local.get 0)
          (i64.const 11)))
      (i32.store offset=4324
        (i32.const 0)
        (i32.sub
          (local.get 1)
          (i32.const 3)))
      (return
        (i32.const 0)))
    (if  ;; label = @1
      (i32.and
        (i32.wrap_i64
          (local.get 5))
        (i32.const 65536))
      (then
        (local.set 16
          (i32.sub
            (i32.load offset=6642692
              (local.tee 15
                (i32.mul
                  (local.tee 10
                    (i32.const 1))
                  (i32.const 8))))
            (i32.const 1)))
        (i32.store offset=6642692
          (local.get 15)
          (local.get 16))
        (if  ;; label = @2
          (i32.le_s
            (local.get 16)
            (i32.const 0))
          (then
            (i32.store offset=14264
              (i32.const 0)
              (local.get 10))))))
    (i64.store offset=4312
      (i32.const 0)
      (i64.add
        (local.get 0)
        (i64.shr_s
          (local.get 5)
          (i64.const 17))))
    (i32.store offset=4324
      (i32.const 0)
      (i32.sub
        (local.get 1)
        (i32.and
          (i32.wrap_i64
            (local.get 5))
          (i32.const 65535))))
    (return
      (i32.const 1)))
