use super::*;

fn parse(text: &str) -> Result<Element, XmlFault> {
    Element::parse(text.as_bytes())
}

fn attr_of(text: &str) -> String {
    parse(text).unwrap().attr("b").unwrap().to_owned()
}

#[test]
fn content_is_in_one_namespace_whatever_the_server_says() {
    for text in [
        "<message><body>hi</body></message>",
        "<message xmlns='jabber:client'><body>hi</body></message>",
        "<message xmlns='jabber:component:accept'><body>hi</body></message>",
        "<c:message xmlns:c='jabber:client'><c:body>hi</c:body></c:message>",
        "<message xmlns='jabber&#58;client'><body>hi</body></message>",
    ] {
        let message = parse(text).unwrap();
        assert!(message.is("message", ns::COMPONENT), "{text}");
        let body = message.child("body", ns::COMPONENT).unwrap();
        assert_eq!(body.text(), "hi", "{text}");
    }
}

#[test]
fn namespaces_nest_and_end() {
    let text = "<a xmlns:p='urn:p'><b xmlns='urn:b'><c/><p:d p:x='1' x='2'/></b><e/><f xmlns=''/>\
                </a>";
    let a = parse(text).unwrap();
    let b = a.child("b", "urn:b").unwrap();
    assert!(b.child("c", "urn:b").is_some());
    let d = b.child("d", "urn:p").unwrap();
    assert_eq!(d.attr("x"), Some("2"));
    assert!(a.child("e", ns::COMPONENT).is_some());
    assert!(a.child("f", "").is_some());
}

#[test]
fn text_is_put_together_from_all_its_forms() {
    let a = parse("<a>1 &lt;<![CDATA[<b>&amp;]]>&#x21;\r\n\r2<b>no</b>3</a>").unwrap();
    assert_eq!(a.text(), "1 <<b>&amp;!\n\n23");
    assert_eq!(a.children().count(), 1);
    assert_eq!(attr_of("<a b='&quot;&apos;\n&#10;&gt;'/>"), "\"' \n>");
    assert_eq!(
        parse("<a xml:lang='de'/>").unwrap().attr("xml:lang"),
        Some("de")
    );
}

/// What quick-xml, the RFC or the specifications of XML leave to us to refuse.
const REFUSED: &[&str] = &[
    "",
    " ",
    "a",
    "<a>",
    "</a>",
    "<a></b>",
    "<a><b></a></b>",
    "<a/><b/>",
    "<a/>x",
    "x<a/>",
    "<a/>&amp;",
    "<a/><![CDATA[x]]>",
    "<![CDATA[]]><a/>",
    "<a",
    "<a b='1'",
    "<>x</>",
    "< a/>",
    "<1a/>",
    "<a:/>",
    "<:a/>",
    "<a:b:c xmlns:a='urn:a'/>",
    "<-a/>",
    "<a/ >",
    "<a / >",
    "<a b='<'/>",
    "<a b='1'c='2'/>",
    "<a b=\"1\"c='2'/>",
    "<a b='1' 2c='2'/>",
    "<a b='1' b='2'/>",
    "<a b='1' =''/>",
    "<a b/>",
    "<a b=c/>",
    "<a b='c/>",
    "<a b:c='1'/>",
    "<b:a/>",
    "<a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/>",
    "<a xmlns:p='urn&#58;x' xmlns:q='urn:x' p:b='1' q:b='2'/>",
    "<a xmlns:p='' />",
    "<a xmlns:p='urn:x'><b xmlns:p=''/></a>",
    "<a xmlns='urn:x' xmlns='urn:y'/>",
    "<a xmlns:p='urn:x' xmlns:p='urn:y'/>",
    "<a xmlns:xml='urn:x'/>",
    "<a xmlns:xmlns='urn:x'/>",
    "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:p='http&#58;//www.w3.org/XML/1998/namespace'/>",
    "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    "<xmlns:a/>",
    "<a>]]></a>",
    "<a>x]]>y</a>",
    "<a>\u{0}</a>",
    "<a>\u{3}4red</a>",
    "<a>\u{1f}</a>",
    "<a>\u{fffe}</a>",
    "<a>\u{ffff}</a>",
    "<a><![CDATA[\u{1}]]></a>",
    "<a><![CDATA[x]]</a>",
    "<a b='\u{8}'/>",
    "<a b='\u{ffff}'/>",
    "<a>&#0;</a>",
    "<a>&#x3;</a>",
    "<a>&#xD800;</a>",
    "<a>&#xFFFE;</a>",
    "<a>&#x110000;</a>",
    "<a b='&#1;'/>",
    "<a>&foo;</a>",
    "<a>&</a>",
    "<a>& b</a>",
    "<a>&amp</a>",
    "<a>&#;</a>",
    "<a>&#x;</a>",
    "<a b='&foo;'/>",
    "<a b='&'/>",
    "<a><!-- c --></a>",
    "<!-- c --><a/>",
    "<a><?php x?></a>",
    "<?xml version='1.0'?><a/>",
    "<!DOCTYPE a><a/>",
    "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
    "<a><!ELEMENT b></a>",
    "<a></a b='1'>",
    "<a></ a>",
];

#[test]
fn what_is_not_well_formed_is_refused() {
    for text in REFUSED {
        match parse(text) {
            Err(XmlFault::Malformed(_)) => {}
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert_eq!(
        Element::parse(b"<a>\xff</a>").map_err(XmlFault::condition),
        Err(Condition::BadRequest)
    );
    assert!(Element::parse(b"<a>\xed\xa0\x80</a>").is_err());
}

#[test]
fn oddities_that_are_well_formed_are_accepted() {
    for text in [
        " <a/>\n",
        "<a ></a >",
        "<a\tb\n=\r'1'/>",
        "<a b='>'/>",
        "<a>></a>",
        "<a>]]&gt;]]</a>",
        "<a b='/>'>&#9;\u{85}\u{7f}\u{1fffe}</a>",
        "<é/>",
        "<a><![CDATA[]]]]><![CDATA[>]]></a>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<stream:error/>",
    ] {
        assert!(parse(text).is_ok(), "{text:?}: {:?}", parse(text));
    }
}

#[test]
fn bounds_are_policy_not_syntax() {
    let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
    assert!(parse(&deep(DEPTH_MAX)).is_ok());
    let wide: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}='1'")).collect();
    let many = format!("<a>{}</a>", "<b/>".repeat(NODES_MAX));
    for text in [deep(DEPTH_MAX + 1), format!("<a{wide}/>"), many] {
        let fault = parse(&text).unwrap_err();
        assert_eq!(fault.condition(), Condition::PolicyViolation);
    }
    let declarations: String = (0..200).map(|n| format!(" xmlns:a{n}='1'")).collect();
    assert!(parse(&format!("<a{declarations}/>")).is_err());
}

#[test]
fn built_element_equals_the_parsed_one() {
    let built = Element::new("a", "urn:a")
        .with_attr("b", "0")
        .with_attr("b", "1")
        .with_text("x")
        .with_text("y")
        .with_child(Element::new("c", ns::COMPONENT));
    let parsed = parse("<a xmlns='urn:a' b='1'>xy<c xmlns='jabber:client'/></a>");
    assert_eq!(parsed, Ok(built));
}
